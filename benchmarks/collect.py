"""`raykit collect` of a cluster, in turn with kubectl commands that fetch its logs by hand.

    python benchmarks/collect.py raykit/multi-node --runs 5

By hand means: Ray's log folder of every pod through `kubectl exec … tar`, the containers' logs, the
pods described, the events. Task rows, timelines and jobs are only in raykit's archive.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pairs

BY_HAND = """
set -e
kubectl -n "$1" get events,raycluster -o yaml > events.yaml
for pod in $(kubectl -n "$1" get pods -l ray.io/cluster="$2" -o name); do
  file=$(basename "$pod")
  kubectl -n "$1" describe "$pod" > "$file.txt"
  kubectl -n "$1" logs --all-containers "$pod" > "$file.log"
  kubectl -n "$1" exec "$pod" -- tar -cz -C /tmp/ray/session_latest/logs . > "$file.tar.gz"
done
"""


def main(arguments: Sequence[str]) -> None:
    given = options(arguments)
    namespace, _, cluster = given.cluster.rpartition("/")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        archive = Path(folder) / "evidence.tar.gz"
        raykit = str(Path(sys.executable).with_name("raykit"))
        ours = [raykit, "collect", given.cluster, "--output-file", str(archive), "-o", "json"]
        theirs = ["bash", "-c", BY_HAND, "bash", namespace, cluster]
        timings = pairs.in_turn(ours, theirs, given.runs)
        shown = subprocess.run(ours, capture_output=True, text=True, check=True).stdout
        collected = json.loads(shown)["data"]
        packed = archive.stat().st_size
    print(pairs.report("raykit collect against kubectl by hand", *timings))
    size = sum(file["bytes"] for file in collected["files"])
    print(
        f"{len(collected['files'])} files, {size / 1e6:.1f} MB, packed {packed / 1e6:.2f} MB; "
        f"cut {len(collected['cut'])}, missing {len(collected['missing'])}"
    )


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cluster", metavar="NAMESPACE/NAME", help="on the current context")
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
