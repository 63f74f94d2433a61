"""A no-op job, command to exit: raykit, `ray job submit`, and bare HTTP as the floor, in turn.

    python benchmarks/submit_noop.py [--runs 7]

All three run `true` on one warm local head, which this program starts and ends. The floor is one
process that polls as raykit does, with nothing but `http.client`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pairs import report, seconds

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
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        env = {**clean, "XDG_RUNTIME_DIR": folder, "RAYKIT_RUNS": f"{folder}/runs"}
        raykit = str(scripts / "raykit")
        subprocess.run([raykit, "up", "--on", "local"], env=env, check=True)
        try:
            _compare(scripts, env | _address(Path(folder)), runs)
        finally:
            subprocess.run([raykit, "down", "--on", "local"], env=env, check=True)


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


def _address(folder: Path) -> dict[str, str]:
    """The warm head's address and token, as its state file names them."""
    state = json.loads(next(folder.rglob("*.json")).read_text("utf-8"))
    return {"HEAD": state["url"], "RAY_AUTH_TOKEN": state["token"], "RAY_AUTH_MODE": "token"}


if __name__ == "__main__":
    main()
