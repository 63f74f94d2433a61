"""How much the kernel held a container back at its CPU limit, read from its control group."""

from __future__ import annotations

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.objects import Object

FILES = (
    "/sys/fs/cgroup/cpu.stat",
    "/sys/fs/cgroup/cpu/cpu.stat",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
)
"""Where control groups of version 2 and of version 1 keep it."""
SECONDS = {"throttled_usec": 1e-6, "throttled_time": 1e-9}


def of_pod(connection: Kubernetes, pod: Object) -> dict[str, float] | None:
    """Counters since the container's start; None where it has no CPU limit or none can be read.

    periods, throttled_periods: of the scheduler; throttled_seconds: of waiting, summed over CPUs.
    """
    container = pod["spec"]["containers"][0]
    if "cpu" not in (container.get("resources") or {}).get("limits", {}):
        return None
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        said = connection.output(name, namespace, container["name"], ["cat", *FILES])
    except RaykitError:
        return None
    return parsed(said)


def parsed(text: str) -> dict[str, float] | None:
    """The counters in a `cpu.stat` of either version; None where it has none."""
    pairs = [line.split() for line in text.splitlines()]
    found = {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2}
    waited = [found[key] * factor for key, factor in SECONDS.items() if key in found]
    if "nr_periods" not in found or not waited:
        return None
    return {
        "periods": found["nr_periods"],
        "throttled_periods": found.get("nr_throttled", 0.0),
        "throttled_seconds": waited[0],
    }
