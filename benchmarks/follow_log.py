"""A log followed while it is written: `raykit logs -f` and `ray job logs --follow`, in turn.

    python benchmarks/follow_log.py [--megabytes 100] [--runs 3]

Each run is a new job on one warm local head, which this program starts and ends; the follower
starts as soon as the job does. Printed: lines a second from the log's first byte to the follower's
exit and from its start to its exit, which holds Ray's start of the driver; the bytes that arrived;
its peak resident memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warm_head import SCRIPTS, warm_head

LINE = 100
WRITE = (
    "import os, sys\n"
    f"piece = (b'x' * {LINE - 1} + b'\\n') * 1000\n"
    "for _ in range(int(sys.argv[1])): os.write(1, piece)\n"
)


@dataclass(frozen=True)
class Followed:
    """One follower's run: seconds to its exit from start and first byte, output, peak in MB."""

    seconds: float
    after_first: float
    received: int
    lines: int
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with warm_head() as env:
        _compare(SCRIPTS, env, given.megabytes, given.runs)


def _compare(scripts: Path, env: dict[str, str], megabytes: int, runs: int) -> None:
    followers = {
        "raykit logs -f": [str(scripts / "raykit"), "logs", "--on", "local", "-f"],
        "ray job logs --follow": [
            str(scripts / "ray"),
            *("job", "logs", "--address", env["HEAD"], "--follow"),
        ],
    }
    found: dict[str, list[Followed]] = {name: [] for name in followers}
    for run in range(runs):
        for index, (name, words) in enumerate(followers.items()):
            job = f"log-{run}-{index}"
            _start(scripts, env, job, megabytes)
            found[name].append(_follow([*words, job], env))
    for name, each in found.items():
        print(_line(name, each))
    ours, theirs = (list(map(_rate, each)) for each in found.values())
    print(f"ratio of medians: {statistics.median(ours) / statistics.median(theirs):.1f}")


def _start(scripts: Path, env: dict[str, str], job: str, megabytes: int) -> None:
    words = ["submit", "--on", "local", "--id", job, "--no-follow", "--entrypoint", "--"]
    write = ["python", "-c", WRITE, str(megabytes * 10)]
    subprocess.run(
        [str(scripts / "raykit"), *words, *write], env=env, check=True, stderr=subprocess.DEVNULL
    )


def _follow(argv: Sequence[str], env: dict[str, str]) -> Followed:
    began = time.perf_counter()
    child = subprocess.Popen(list(argv), env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    received = lines = 0
    first = began
    while piece := child.stdout.read1(1 << 20):
        first = time.perf_counter() if not lines else first
        received += len(piece)
        lines += piece.count(b"\n")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    ended = time.perf_counter()
    return Followed(ended - began, ended - first, received, lines, usage.ru_maxrss / 1000)


def _rate(followed: Followed) -> float:
    return followed.lines / followed.after_first


def _line(name: str, runs: Sequence[Followed]) -> str:
    seconds = statistics.median(run.seconds for run in runs)
    rate = statistics.median(map(_rate, runs))
    whole = statistics.median(run.lines / run.seconds for run in runs)
    peak = max(run.peak for run in runs)
    received = ", ".join(f"{run.received / 1e6:.1f}" for run in runs)
    return (
        f"{name}: {rate:,.0f} lines/s from the first byte, {whole:,.0f} from the start, "
        f"{seconds:.1f} s in all, peak {peak:.0f} MB, "
        f"MB received: {received}, n = {len(runs)}"
    )


if __name__ == "__main__":
    main()
