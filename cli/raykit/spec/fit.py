"""What a cluster asks of Kubernetes nodes, pod by pod, as the scheduler counts it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raykit.spec import pods, quantity
from raykit.spec.model import ClusterSpec, Pods, wanted

# KubeRay's wait-gcs-ready runs before a worker; the scheduler takes the larger of the two.
INIT_MILLICPUS, INIT_BYTES = 200, 256 * quantity.MIB


@dataclass(frozen=True)
class Request:
    """What one pod asks for: thousandths of a CPU, and bytes."""

    pod: str
    millicpus: int
    bytes: int


@dataclass(frozen=True)
class Room:
    """What a Kubernetes node has left for pods."""

    millicpus: int
    bytes: int

    def holds(self, request: Request) -> bool:
        """Whether a pod fits."""
        return request.millicpus <= self.millicpus and request.bytes <= self.bytes

    def without(self, request: Request) -> Room:
        """What is left after a pod was placed."""
        return Room(self.millicpus - request.millicpus, self.bytes - request.bytes)


def requests(spec: ClusterSpec) -> list[Request]:
    """One for each pod that is wanted; with the autoscaler, for as many as it may start."""
    head = _request(f"{spec.name}-head", pods.head_cpu(spec), spec.head)
    if spec.autoscaling.enabled:
        cpu, memory = (pods.AUTOSCALER_REQUESTS[key] for key in ("cpu", "memory"))
        head = Request(
            head.pod,
            head.millicpus + quantity.millicpus(cpu),
            head.bytes + quantity.size(memory),
        )
    found = [head]
    for group in spec.workers:
        count = group.max_replicas if spec.autoscaling.enabled else wanted(group)
        one = _request(f"{spec.name}-{group.name}", pods.worker_cpu(group), group)
        worker = Request(one.pod, max(one.millicpus, INIT_MILLICPUS), max(one.bytes, INIT_BYTES))
        found += [worker] * (count or 0)
    return found


def unplaced(wanted_pods: Iterable[Request], rooms: Sequence[Room]) -> list[Request]:
    """Pods that find no room when each in turn goes where most memory is left.

    That is how Kubernetes' scheduler spreads them unless told otherwise.
    """
    left = list(rooms)
    missing = []
    for request in wanted_pods:
        holding = [at for at, room in enumerate(left) if room.holds(request)]
        if not holding:
            missing.append(request)
            continue
        at = max(holding, key=lambda each: left[each].bytes)
        left[at] = left[at].without(request)
    return missing


def _request(pod: str, cpu: str, part: Pods) -> Request:
    return Request(pod, quantity.millicpus(cpu), quantity.size(part.memory))
