"""What all jobs share: reading options, joining Ray, and reporting why they failed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from jobs import timing

EXIT_USAGE = 2


class OptionParser(argparse.ArgumentParser):
    """An argument parser whose errors are events too, with the cause `usage`.

    raykit can then distinguish wrong options from a failed job, and exits with status 2.
    """

    def error(self, message: str) -> NoReturn:
        """Refuse one problem that argparse itself found."""
        self.refuse([message])

    def refuse(self, problems: Sequence[str]) -> NoReturn:
        """Show every problem and exit with status 2."""
        what = problems[0] if len(problems) == 1 else f"{len(problems)} options cannot be used"
        evidence = problems if len(problems) > 1 else []
        fail(EXIT_USAGE, "usage", what, *evidence)
        print(f"next: raykit submit {self.prog} -- --help", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


def read_counts(options: argparse.Namespace, limits: Mapping[str, int]) -> list[str]:
    """Turn the named options from text into whole numbers from 1 to their limits.

    An option that was not given stays None. Returns the problems, one line each.
    """
    problems = []
    for name, most in limits.items():
        text = getattr(options, name)
        if text is None:
            continue
        number = whole_number(text, 1, most)
        if number is None:
            problems.append(f"argument --{name}: {text!r} is not a whole number from 1 to {most:,}")
        setattr(options, name, number)
    return problems


def whole_number(text: str, least: int, most: int) -> int | None:
    """The whole number that a text writes in plain digits; None unless it is in the range."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) + 3:
        return None
    return int(text) if least <= int(text) <= most else None


def join_ray() -> None:
    """Join the Ray cluster that this process belongs to, or start one, with few log lines."""
    # Importing Ray takes a second, and not every job and method needs it.
    import ray

    # Without it Ray warns of GPUs, in the driver's log, on every machine that has none.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(log_to_driver=False, logging_level="WARNING", ignore_reinit_error=True)


def fail(status: int, cause: str, what: str, *evidence: str) -> int:
    """Report why there is no result, to programs and to people; returns the exit status."""
    timing.error(cause, what, evidence)
    print("\n  ".join([f"error: {what}", *evidence]), file=sys.stderr)
    return status


def task_cpus() -> list[int]:
    """The task CPUs of each living Ray node."""
    import ray

    return [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
