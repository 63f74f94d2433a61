"""A no-op job, command to exit: raykit, `ray job submit`, and bare HTTP as the floor, in turn.

    python benchmarks/submit_noop.py [--runs 7]

All three run `true` on one warm local head, which this program starts and ends. The floor is one
process that polls as raykit does, with nothing but `http.client`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from pairs import report, seconds
from warm_head import SCRIPTS, warm_head

FLOOR = """
import http.client, json, os, sys, time, urllib.parse
url = urllib.parse.urlsplit(os.environ["HEAD"])
headers = {"Authorization": "Bearer " + os.environ["RAY_AUTH_TOKEN"]}
link = http.client.HTTPConnection(url.hostname, url.port)
def ask(method, path, body=None):
    link.request(method, path, body, headers)
    return json.loads(link.getresponse().read())
name = ask("POST", "/api/jobs/", json.dumps({"entrypoint": "true"}))["submission_id"]
while ask("GET", "/api/jobs/" + name)["status"] in ("PENDING", "RUNNING"):
    time.sleep(0.02)
ask("GET", f"/api/jobs/{name}/logs")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with warm_head() as env:
        _compare(SCRIPTS, env, runs)


def _compare(scripts: Path, env: dict[str, str], runs: int) -> None:
    commands = {
        "raykit submit": [
            str(scripts / "raykit"),
            *("submit", "--on", "local", "--entrypoint", "--", "true"),
        ],
        "ray job submit": [
            str(scripts / "ray"),
            *("job", "submit", "--address", env["HEAD"], "--", "true"),
        ],
        "bare HTTP": [sys.executable, "-c", FLOOR],
    }
    for argv in commands.values():
        seconds(argv, env)
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, argv in commands.items():
            samples[name].append(seconds(argv, env))
    ours = samples.pop("raykit submit")
    for name, theirs in samples.items():
        print(report(f"raykit submit against {name}", ours, theirs))
    print(f"medians: {statistics.median(ours):.2f} s for raykit")


if __name__ == "__main__":
    main()
