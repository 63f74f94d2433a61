"""The lines that the Fibonacci job prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from jobs import ratios

HIGHER = 1.005
"""A speedup above the highest possible by this factor is reported as impossible."""


def serial_fraction(speedup: float | None, p: int) -> float | None:
    """Karp and Flatt's experimentally determined serial fraction.

    p: the CPUs that could work. None on one CPU and outside 1 <= speedup <= p, where it means
    nothing.
    """
    if not speedup or p < 2 or not 1 <= speedup <= p:
        return None
    return (1 / speedup - 1 / p) / (1 - 1 / p)


def highest_speedup(tasks: int, p: int) -> float:
    """The highest speedup of equal tasks on equal CPUs, which work in whole rounds of tasks."""
    return tasks / -(-tasks // p)


def report(data: dict[str, Any]) -> list[str]:
    """The tutorial's two lines, then the speedup and remarks."""
    lines = []
    for arm, name in (("local", "Local"), ("tasks", "Remote")):
        times = data[f"{arm}_seconds"]
        if times:
            lines.append(f"Sequence size: {data['size']}, {name} execution time: {_time(times)}")
    if data["speedup"] is not None:
        lines.append(ratios.line(data["speedup"], data["p"]))
    lines += _remarks(data)
    return lines


def _time(times: Sequence[float]) -> str:
    # A small run takes milliseconds: two decimals, as in the tutorial, would print 0.00.
    value = median(times)
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _remarks(data: dict[str, Any]) -> list[str]:
    lines = []
    runs = max(len(data["local_seconds"]), len(data["tasks_seconds"]))
    if runs > 1:
        lines.append(f"Times are medians of {runs} runs, on workers that were started before.")
    if runs > 1 and data["speedup"] is not None:
        lines.append(ratios.BY_ROUNDS)
    lines += _about_the_limit(data)
    if data["local_seconds"] and data["local_ran_as"] != "driver":
        lines += ["The local arm ran as one Ray task.", *_on_which_cpu(data["cpu_models"])]
    if data["local_seconds"] and data["tasks_seconds"] and data["agree"]:
        what = "whole sequences" if data["returns"] == "sequence" else "hash of the last number"
        lines.append(f"Local and remote results agree ({what}).")
    return lines


def _about_the_limit(data: dict[str, Any]) -> list[str]:
    """The highest possible speedup, if that is below p, or a warning if it was exceeded."""
    tasks, p, speedup = data["tasks"], data["p"], data["speedup"]
    most = highest_speedup(tasks, p)
    counted = "1 task" if tasks == 1 else f"{tasks} equal tasks"
    if speedup and speedup >= most * HIGHER:
        return [
            f"{counted} on {_cpus(p)} cannot give more than {most:.2f}: do not trust it.",
            "The two arms did not meet the same conditions.",
        ]
    if data["tasks_seconds"] and most < p:
        return [f"{counted} on {_cpus(p)}: the speedup cannot exceed {most:.2f}."]
    return []


def _cpus(count: int) -> str:
    return "1 CPU" if count == 1 else f"{count} CPUs"


def _on_which_cpu(models: Sequence[str]) -> list[str]:
    """Whether the local arm ran on the same kind of CPU as the tasks; empty if that is unknown."""
    if len(models) == 1:
        return [f"All Ray nodes that take tasks have the same kind of CPU: {models[0]}."]
    return [f"The Ray nodes have different CPUs: {', '.join(models)}."] if models else []
