"""The parts of a pod's memory: /dev/shm, and Ray's object store in it."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from raykit.spec import quantity
from raykit.spec.model import Pods

SHARED_MEMORY_SHARE = Decimal("0.3")
# Ray refuses an object store that is larger than the free space in /dev/shm.
OBJECT_STORE_SHARE = Decimal("0.9")


def shared_memory(pods: Pods) -> str:
    """Size of `/dev/shm` as a quantity: `sharedMemory`, else 30 % of memory, Ray's own share."""
    if pods.shared_memory is not None:
        return pods.shared_memory
    share = quantity.parse(pods.memory) * SHARED_MEMORY_SHARE / quantity.MIB
    return f"{int(share.to_integral_value(ROUND_FLOOR))}Mi"


def object_store_bytes(pods: Pods) -> int:
    """Size of Ray's object store in bytes: 90 % of `/dev/shm`."""
    return int(quantity.size(shared_memory(pods)) * OBJECT_STORE_SHARE)
