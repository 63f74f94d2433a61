"""How a pod's memory is shared out: /dev/shm, and Ray's object store in it."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from raykit.spec import quantity
from raykit.spec.model import Pods

SHARED_MEMORY_SHARE = Decimal("0.3")
# Ray refuses an object store larger than what is free in /dev/shm.
OBJECT_STORE_SHARE = Decimal("0.9")


def shared_memory(pods: Pods) -> str:
    """Size of `/dev/shm`: as given, or 30 % of the memory, as Ray would take."""
    if pods.shared_memory is not None:
        return pods.shared_memory
    share = quantity.parse(pods.memory) * SHARED_MEMORY_SHARE / quantity.MIB
    return f"{int(share.to_integral_value(ROUND_FLOOR))}Mi"


def object_store_bytes(pods: Pods) -> int:
    """Size of Ray's object store."""
    return int(quantity.size(shared_memory(pods)) * OBJECT_STORE_SHARE)
