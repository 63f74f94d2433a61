"""Reads a run record's work, task CPUs, machine and timings.

The functions trust nothing in a record: a job may print any JSON as its result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from raykit.measure.events import is_number
from raykit.measure.records import RunRecord
from raykit.measure.strip import Arm

FIB_WORK = ("size", "tasks", "returns")
"""The keys of a fib result that define its work, for records older than the field `work`."""


def task_cpus(record: RunRecord) -> float:
    """p: the CPUs that tasks could use, by the job's `task_cpus`, else by Ray's nodes.

    A result's `data` does not count: a `p` in it may mean anything.
    """
    own = _number(_last_result(record).get("task_cpus"))
    offered = _number(record.tasks.get("task_cpus"))
    return own if own and own > 0 else offered or 0.0


def work(record: RunRecord) -> Mapping[str, Any] | None:
    """The work that the job says it did, independent of cluster and time; None if it says none."""
    own = _last_result(record).get("work")
    if isinstance(own, dict) and own:
        return own
    data = _last_result(record).get("data")
    if record.job["name"] == "fib" and isinstance(data, dict):
        return {key: data[key] for key in FIB_WORK if key in data} or None
    return None


def takes(record: RunRecord, option: str) -> bool:
    """Whether the job has an option of that name: its `start` line lists its arguments."""
    arguments = (record.start or {}).get("arguments")
    return isinstance(arguments, dict) and option in arguments


def timed_arms(record: RunRecord) -> list[Arm]:
    """The job's own timings of its arms, in the order of its log."""
    return [
        Arm(str(span["arm"]), float(span["start"]), float(span["seconds"]))
        for span in record.spans
        if span.get("arm")
    ]


def samples(record: RunRecord) -> dict[str, list[float]]:
    """The measured seconds of each arm, in the order of the log."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for span in record.spans:
        if span.get("arm"):
            seconds[str(span["arm"])].append(float(span["seconds"]))
    return dict(seconds)


def usable_cpus(record: RunRecord) -> float:
    """The task CPUs that the work can use at once: at most its number of tasks, if it says so."""
    p, count = task_cpus(record), tasks_of_work(record)
    return min(p, count) if count else p


def tasks_of_work(record: RunRecord) -> int | None:
    """The number of tasks of the job's work, at least 1; None if the job does not say it."""
    count = _number((work(record) or {}).get("tasks"))
    return int(count) if count and count >= 1 else None


def head_machine(record: RunRecord) -> Mapping[str, Any]:
    """The machine that the driver ran on; empty if it is unknown.

    The job's `start` line describes it. raykit's own machine counts only if the head was on it.
    """
    own = (record.start or {}).get("machine")
    if isinstance(own, dict):
        return own
    return record.machine if record.target.get("kind") == "local" else {}


def boot_ids(record: RunRecord) -> set[str]:
    """The boot ids of the machines of the Ray nodes; kind nodes of one machine share one."""
    nodes = record.cluster.get("nodes") or []
    ids = {str(node["boot_id"]) for node in nodes if node.get("boot_id")}
    own = record.machine.get("boot_id")
    return ids or ({str(own)} if own and record.target.get("kind") == "local" else set())


def images(record: RunRecord) -> tuple[str, ...]:
    """The images of the pods, by digest if it is known; empty outside Kubernetes."""
    pods = record.cluster.get("pods") or []
    return tuple(sorted({str(pod.get("image_digest") or pod.get("image")) for pod in pods}))


def growth(record: RunRecord, counter: str) -> float | None:
    """The growth of a counter from the job's `start` line to its last result; None if unknown."""
    before = _number((record.start or {}).get(counter))
    after = _number(_last_result(record).get(counter))
    return None if before is None or after is None else max(after - before, 0.0)


def _last_result(record: RunRecord) -> Mapping[str, Any]:
    last = record.results[-1] if record.results else {}
    return last if isinstance(last, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if is_number(value) else None
