"""What a run record says of its work, its task CPUs, its machine and its timings.

Every reader here takes a record as it comes: a job may print any JSON beside what it measures.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from raykit.measure.records import RunRecord
from raykit.measure.strip import Arm

FIB_WORK = ("size", "tasks", "returns")
"""The work of a fib run whose record is older than the field `work`."""


def task_cpus(record: RunRecord) -> float:
    """p: the CPUs that were there for tasks, by the job's `task_cpus`, else by Ray's nodes.

    Nothing in a result's `data` counts: that is the job's own, and its `p` may be anything.
    """
    own = _number(_last_result(record).get("task_cpus"))
    offered = _number(record.tasks.get("task_cpus"))
    return own if own and own > 0 else offered or 0.0


def work(record: RunRecord) -> Mapping[str, Any] | None:
    """What the job says it did, whatever the cluster and the time; None where it says nothing."""
    own = _last_result(record).get("work")
    if isinstance(own, dict) and own:
        return own
    data = _last_result(record).get("data")
    if record.job["name"] == "fib" and isinstance(data, dict):
        return {key: data[key] for key in FIB_WORK if key in data} or None
    return None


def takes(record: RunRecord, option: str) -> bool:
    """Whether the job has an option of that name, by the arguments of its `start` line."""
    asked = (record.start or {}).get("arguments")
    return isinstance(asked, dict) and option in asked


def timed_arms(record: RunRecord) -> list[Arm]:
    """The job's own timings of its arms, in the order in which it gave them."""
    return [
        Arm(str(span["arm"]), float(span["start"]), float(span["seconds"]))
        for span in record.spans
        if span.get("arm")
    ]


def samples(record: RunRecord) -> dict[str, list[float]]:
    """Seconds of each arm, in order."""
    found: dict[str, list[float]] = defaultdict(list)
    for span in record.spans:
        if span.get("arm"):
            found[str(span["arm"])].append(float(span["seconds"]))
    return dict(found)


def usable_cpus(record: RunRecord) -> float:
    """The task CPUs that the work could use at once: no more than it has tasks, where it says."""
    p, count = task_cpus(record), tasks_of_work(record)
    return min(p, count) if count else p


def tasks_of_work(record: RunRecord) -> int | None:
    """Into how many tasks the job says it cut its work, a number above 0."""
    count = _number((work(record) or {}).get("tasks"))
    return int(count) if count and count >= 1 else None


def head_machine(record: RunRecord) -> Mapping[str, Any]:
    """The machine that the driver ran on; empty where nobody looked there.

    The job's `start` line tells it; raykit's own machine is meant only where the head is here too.
    """
    own = (record.start or {}).get("machine")
    if isinstance(own, dict):
        return own
    return record.machine if record.target.get("kind") == "local" else {}


def boot_ids(record: RunRecord) -> set[str]:
    """Boot ids of the machines that took part: kind nodes of one machine share one."""
    nodes = record.cluster.get("nodes") or []
    ids = {str(node["boot_id"]) for node in nodes if node.get("boot_id")}
    own = record.machine.get("boot_id")
    return ids or ({str(own)} if own and record.target.get("kind") == "local" else set())


def images(record: RunRecord) -> tuple[str, ...]:
    """The images of the pods, by digest where it is known; empty outside Kubernetes."""
    pods = record.cluster.get("pods") or []
    return tuple(sorted({str(pod.get("image_digest") or pod.get("image")) for pod in pods}))


def waited(record: RunRecord, what: str) -> float | None:
    """By how much a counter of the job's `start` line had grown when it gave its result."""
    before = _number((record.start or {}).get(what))
    after = _number(_last_result(record).get(what))
    return None if before is None or after is None else max(after - before, 0.0)


def _last_result(record: RunRecord) -> Mapping[str, Any]:
    last = record.results[-1] if record.results else {}
    return last if isinstance(last, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
