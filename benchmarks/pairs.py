"""Two commands in turn, A B A B …, as whole processes: medians and the ratio pair by pair."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence


def seconds(argv: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Wall seconds of one run, which must succeed."""
    began = time.perf_counter()
    subprocess.run(
        list(argv),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


def costs(argv: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Wall seconds, and user and system seconds of processors, of one run, which must succeed.

    Other programs on the machine hardly change the second.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = seconds(argv, env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turn(
    ours: Sequence[str],
    theirs: Sequence[str],
    runs: int,
    env: Mapping[str, str] | None = None,
) -> tuple[list[float], list[float]]:
    """Timings of both after one warm-up each."""
    seconds(ours, env)
    seconds(theirs, env)
    pairs = [(seconds(ours, env), seconds(theirs, env)) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def report(name: str, ours: Sequence[float], theirs: Sequence[float]) -> str:
    """One line: both medians with their spread, and the median ratio ours/theirs."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{name}: {spread(ours)} against {spread(theirs)}; ratio {ratio:.3f}, n = {len(ours)}"


def spread(samples: Sequence[float]) -> str:
    """A median with the least and the largest sample."""
    low, high = min(samples), max(samples)
    return f"{statistics.median(samples):.3f} s ({low:.3f} to {high:.3f})"
