"""Computes how much memory a Fibonacci run takes, and whether the Ray nodes have it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BITS_PER_STEP = 0.6942419136306174
"""log2 of the golden ratio: by how many bits a Fibonacci number grows each step."""

OBJECT_BYTES = 48
"""Per number: Python's integer header (24), allocation rounding (16), the list's slot (8)."""

PICKLE_BYTES = 6
"""Per number: pickle's opcode, length and sign."""

BASE_BYTES = 64 * 2**20
"""The memory of one process without its numbers."""


@dataclass(frozen=True)
class Node:
    """A Ray node: its task CPUs, and the bytes Ray offers there to processes and to objects."""

    name: str
    cpus: int
    memory: int
    object_store: int
    driver: bool = False


@dataclass(frozen=True)
class Run:
    """The run that the user wants.

    sequences: calls return whole sequences. local_task: the local arm runs as a Ray task, not in
    the driver.
    """

    size: int
    tasks: int
    local: bool
    remote: bool
    sequences: bool
    local_task: bool


def sequence_bytes(size: int) -> int:
    """Memory of a list of the first `size` Fibonacci numbers: it grows with the square.

    Each integer takes four bytes for every 30 bits; 468 MB at 100,000.
    """
    return int(size * size * BITS_PER_STEP / 2 * 4 / 30) + size * OBJECT_BYTES


def pickled_bytes(size: int) -> int:
    """Size of the same list in Ray's object store, as a returned value."""
    return int(size * size * BITS_PER_STEP / 2 / 8) + size * PICKLE_BYTES


def shortages(run: Run, nodes: Sequence[Node]) -> list[str]:
    """One line for each Ray node that lacks memory for the run; empty if it fits.

    Assumes that every node runs as many tasks at once as it has task CPUs, and that its objects
    take memory of its processes, as in a pod.
    """
    lines = []
    for node in nodes:
        heap, objects = needs(run, node)
        if heap + objects > node.memory:
            lines.append(
                f"{node.name}: needs {_gb(heap + objects)} of memory, Ray offers {_gb(node.memory)}"
            )
        if objects > node.object_store:
            lines.append(
                f"{node.name}: needs {_gb(objects)} of object store, "
                f"Ray offers {_gb(node.object_store)}"
            )
    return lines


def needs(run: Run, node: Node) -> tuple[int, int]:
    """The most bytes that a node needs at the same time for processes, and for objects."""
    remote = _remote_needs(run, node) if run.remote else (0, 0)
    local = _local_needs(run, node) if run.local else (0, 0)
    return max((remote, local), key=sum)


def _remote_needs(run: Run, node: Node) -> tuple[int, int]:
    running = min(node.cpus, run.tasks)
    heap = running * (BASE_BYTES + sequence_bytes(run.size))
    if not run.sequences:
        return heap, 0
    # A task's list still stands while its copy is written; the driver's node receives all copies,
    # and the driver unpacks them beside the sequence that it compares them with.
    heap += running * pickled_bytes(run.size)
    returned = run.tasks if node.driver else running
    if node.driver:
        heap += (run.tasks + 1) * sequence_bytes(run.size)
    return heap, returned * pickled_bytes(run.size)


def _local_needs(run: Run, node: Node) -> tuple[int, int]:
    lists = run.tasks if run.sequences else 1
    heap = BASE_BYTES + lists * sequence_bytes(run.size)
    if not run.local_task:
        return (heap + run.sequences * sequence_bytes(run.size), 0) if node.driver else (0, 0)
    copies = pickled_bytes(run.size) if run.sequences else 0
    worker = heap + copies if node.cpus else 0
    driver = BASE_BYTES + 2 * sequence_bytes(run.size) if run.sequences and node.driver else 0
    return worker + driver, copies if node.cpus or node.driver else 0


def largest_size(run: Run, nodes: Sequence[Node]) -> int:
    """The largest size that fits, all else equal; 0 if none fits."""
    low, high = 0, run.size
    while high - low > 1:
        middle = (low + high) // 2
        fits = not shortages(_with_size(run, middle), nodes)
        low, high = (middle, high) if fits else (low, middle)
    return low


def _with_size(run: Run, size: int) -> Run:
    return Run(size, run.tasks, run.local, run.remote, run.sequences, run.local_task)


def _gb(count: int) -> str:
    return f"{count / 1e9:,.2f} GB"
