"""Says in one sentence how a job used its task CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raykit.measure.strip.drawing import counted
from raykit.measure.strip.lanes import TOUCHING

Summary = Mapping[str, Any]


def verdict(summary: Summary) -> str:
    """How the job used its task CPUs, or why raykit cannot tell.

    summary: what `tasks.summarise` returned.
    """
    if not summary:
        return "Ray's task events could not be read: the use of its task CPUs is unknown."
    if summary.get("dropped"):
        whole = summary["count"] + summary["dropped"]
        return (
            f"Ray reported {summary['count']:,} of {whole:,} tasks: "
            "a part says nothing about its task CPUs."
        )
    if not summary.get("count"):
        return "The job ran no Ray task: everything happened in the driver."
    disturbed = _disturbed(summary)
    if disturbed:
        return disturbed
    if "cpu_seconds" not in summary:
        # The record is from an older raykit, which did not keep CPU seconds.
        return f"{counted(summary['count'])} ran, on {_offered(summary)} task CPUs."
    return _use(summary)


def _offered(summary: Summary) -> int:
    return int(summary["task_cpus"])


def _disturbed(summary: Summary) -> str:
    """Which nodes were lost, and how many tasks Ray tried again."""
    lost = {name: end for name, end in (summary.get("ended") or {}).items() if end["lost"]}
    retried = summary.get("retried") or 0
    was = "was" if retried == 1 else "were"
    retries = f"{counted(retried)} {was} tried again" if retried else ""
    if not lost:
        return f"{retries}, so these times are disturbed." if retries else ""
    names = ", ".join(lost)
    what = "A Ray node was" if len(lost) == 1 else f"{len(lost)} Ray nodes were"
    return f"{what} lost while the job ran ({names}); {retries or 'no task was tried again'}."


def _use(summary: Summary) -> str:
    offered, count = _offered(summary), summary["count"]
    if not summary["most_cpus_asked"]:
        return f"{counted(count)} ran and asked for no CPU: they say nothing about the task CPUs."
    if offered < 1:
        return f"{counted(count)} ran, though Ray names no node that offered a task CPU."
    if count == 1 and offered == 1:
        return "One task ran."
    if count == 1:
        return f"One task ran, on {summary['cpus_used']} of {_cpus(offered)}."
    if summary["busy_seconds"] <= count * TOUCHING:
        return "The tasks were too short to tell which of them ran at the same time."
    return _of_arms(summary, offered) or _of_whole(summary, offered)


def _of_arms(summary: Summary, offered: int) -> str:
    """How busy the CPUs were in each parallel arm that the job timed."""
    sentences = []
    for name, arm in (summary.get("arms") or {}).items():
        if arm["tasks"] and arm["seconds"] > 0 and _steady(summary):
            share = min(arm["cpus"] / (arm["seconds"] * offered), 1.0)
            sentences.append(
                f"While the arm {name} ran, the {_cpus(offered)} "
                f"{'was' if offered == 1 else 'were'} busy {share:.0%} of the time."
            )
    return " ".join(sentences)


def _of_whole(summary: Summary, offered: int) -> str:
    used, steady = summary["cpus_used"], _steady(summary)
    another_fits = 2 * summary["most_cpus_asked"] <= offered
    if summary["waited_for_each_other"] and steady and another_fits:
        return (
            f"Each task was submitted when the one before had ended, with {offered} task CPUs "
            "to run them side by side: is ray.get inside the loop?"
        )
    share = min(summary["cpu_seconds"] / (summary["cpu_seconds_offered"] or TOUCHING), 1.0)
    if not steady:
        return (
            f"Up to {_cpus(offered)} were there, not all from start to end; "
            f"they were busy {share:.0%} of their time."
        )
    if offered == 1:
        return f"The one task CPU was busy {share:.0%} of the makespan."
    if used < offered:
        return (
            f"{used} of {offered} task CPUs {'was' if used == 1 else 'were'} ever busy; "
            f"together the {offered} were busy {share:.0%} of the makespan."
        )
    return f"All {offered} task CPUs were used, busy {share:.0%} of the makespan."


def _steady(summary: Summary) -> bool:
    """Whether all nodes existed from the first task's start to the last task's end."""
    late = [t for t in (summary.get("came") or {}).values() if t > summary["first_start"]]
    early = [e for e in (summary.get("ended") or {}).values() if e["time"] < summary["last_end"]]
    return not late and not early


def _cpus(count: int) -> str:
    return "1 task CPU" if count == 1 else f"{count} task CPUs"
