"""What the Fibonacci job prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any


def serial_fraction(speedup: float | None, p: int) -> float | None:
    """Karp and Flatt's experimentally determined serial fraction; undefined on one CPU."""
    if not speedup or p < 2:
        return None
    return (1 / speedup - 1 / p) / (1 - 1 / p)


def report(data: dict[str, Any]) -> list[str]:
    """The tutorial's two lines, then what they mean."""
    lines = []
    for arm, name in (("local", "Local"), ("tasks", "Remote")):
        times = data[f"{arm}_seconds"]
        if times:
            lines.append(f"Sequence size: {data['size']}, {name} execution time: {_time(times)}")
    if data["speedup"] is not None:
        lines.append(
            f"Speedup: {data['speedup']:.2f} on p = {data['p']} task CPUs, "
            f"parallel efficiency: {data['efficiency']:.2f}"
        )
    lines += _remarks(data)
    return lines


def _time(times: Sequence[float]) -> str:
    # A small run takes milliseconds: two decimals, as in the tutorial, would print 0.00.
    value = median(times)
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _remarks(data: dict[str, Any]) -> list[str]:
    p, tasks = data["p"], data["tasks"]
    lines = []
    runs = max(len(data["local_seconds"]), len(data["tasks_seconds"]))
    if runs > 1:
        lines.append(f"Times are medians of {runs} runs, on workers that were started before.")
    if data["tasks_seconds"] and tasks % p:
        best = tasks / -(-tasks // p)
        lines.append(f"{tasks} equal tasks on {p} CPUs: the speedup cannot exceed {best:.2f}.")
    if data["local_seconds"] and data["local_ran_as"] != "driver":
        lines.append("The local arm ran as one Ray task, on the same kind of CPU as the tasks.")
    if data["local_seconds"] and data["tasks_seconds"] and data["agree"]:
        what = "whole sequences" if data["returns"] == "sequence" else "hash of the last number"
        lines.append(f"Local and remote results agree ({what}).")
    return lines
