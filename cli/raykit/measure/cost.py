"""What a run cost: the CPUs that were kept for it, for as long as it took. In no currency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raykit.measure import facts
from raykit.measure.records import RunRecord
from raykit.spec import quantity

COUNTED = (
    "Cost: CPUs requested by the cluster's pods, the head's included (on this machine all of its "
    "CPUs, elsewhere Ray's task CPUs), times the seconds from submission to end, at {price:g} per "
    "CPU hour. Not counted: bringing up, waiting between runs, memory, storage, network."
)


def of_run(record: RunRecord, price: float) -> float | None:
    """The cost of one run. price: of a CPU hour. None if its end or its CPUs are unknown."""
    cpus = requested_cpus(record)
    if cpus is None or record.ended is None:
        return None
    return cpus * (record.ended - record.started) / 3600 * price


def shown(value: float | None) -> str:
    """A cost in words for people."""
    return "unknown" if value is None else f"{value:.3g}"


def requested_cpus(record: RunRecord) -> float | None:
    """The CPUs that the cluster of a run kept for itself."""
    pods = record.cluster.get("pods") or []
    if pods:
        asked = [_cpus(pod) for pod in pods]
        known = [cpus for cpus in asked if cpus is not None]
        return sum(known) if len(known) == len(asked) else None
    own = record.machine.get("cpu_count") if record.target.get("kind") == "local" else None
    return float(own) if own else facts.task_cpus(record) or None


def _cpus(pod: Mapping[str, Any]) -> float | None:
    """What a pod requests; Kubernetes takes its limit where it requests nothing."""
    text = (pod.get("requests") or {}).get("cpu") or (pod.get("limits") or {}).get("cpu")
    if text is None:
        return None
    try:
        return float(quantity.parse(str(text)))
    except ValueError:
        return None
