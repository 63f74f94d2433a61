"""What raykit's commands cost beside many Kubernetes nodes and pods: seconds and peak memory.

    raykit kind up
    python benchmarks/big_cluster.py kind-raykit --on single-node --nodes 2000 --pods 20000

It makes nodes without a kubelet, tainted `fake:NoSchedule`, and pods on them, and deletes them
again, also after Ctrl-C. Then `submit` to the cluster of --on, `status` alone and beside a cluster
that no node takes, and `up` of such a cluster, each --runs times. About 4 minutes for 22,000
objects. To compare with another version of raykit, run it with `--keep` first, and then again
with `--source` and the other version's folder `cli`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from raykit.kube.connection import connect

THREADS = 8
LABEL = "raykit.io/fake"
NAMESPACE = "raykit-fake"
TAINT = {"key": "fake", "effect": "NoSchedule"}
ROOM = {"cpu": "64", "memory": "256Gi", "pods": "110"}
TOO_BIG = """name: too-big
namespace: raykit-fake
head: {taskCpus: 32, memory: 64Gi}
"""


def node(at: int) -> dict[str, Any]:
    """A node with as much to say as a real one: its kubelet lists up to 50 images."""
    images = [{"names": [f"registry.example.com/{at}/{n}:{n}"], "sizeBytes": n} for n in range(50)]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"fake-{at}", "labels": {LABEL: "node"}},
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": ROOM, "capacity": ROOM, "images": images},
    }


def pod(at: int, nodes: int) -> dict[str, Any]:
    container = {"name": "c", "image": "none", "resources": {"requests": {"cpu": "1"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"fake-{at}", "labels": {LABEL: "pod"}},
        "spec": {
            "nodeName": f"fake-{at % nodes}",
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }


class Fakes:
    """Nodes and pods that nothing runs."""

    def __init__(self, context: str) -> None:
        connection = connect(context)
        self.client = httpx2.Client(
            base_url=connection.access.server,
            headers=connection.headers(),
            verify=connection.tls,
            trust_env=False,
            timeout=60,
        )

    def make(self, nodes: int, pods: int) -> None:
        if not nodes:
            return
        last = f"/api/v1/namespaces/{NAMESPACE}/pods/fake-{pods - 1}"
        if self.client.get(last).status_code == httpx2.codes.OK:
            return
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._post("/api/v1/namespaces", space)
        account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
        while self.client.get(account).status_code != httpx2.codes.OK:
            time.sleep(0.2)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda at: self._post("/api/v1/nodes", node(at)), range(nodes)))
            path = f"/api/v1/namespaces/{NAMESPACE}/pods"
            list(pool.map(lambda at: self._post(path, pod(at, nodes)), range(pods)))

    def delete(self) -> None:
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        for path in (pods, "/api/v1/nodes"):
            query = {"labelSelector": LABEL, "gracePeriodSeconds": "0"}
            while self.client.get(path, params={"labelSelector": LABEL, "limit": "1"}).json()[
                "items"
            ]:
                # One request deletes what it can in a minute; the API server then cuts it.
                with contextlib.suppress(httpx2.RemoteProtocolError, httpx2.TimeoutException):
                    self.client.delete(path, params=query, timeout=600)
        self.client.delete(f"/api/v1/namespaces/{NAMESPACE}")

    def _post(self, path: str, item: dict[str, Any]) -> None:
        answer = self.client.post(path, json=item)
        if answer.status_code != httpx2.codes.CONFLICT:
            answer.raise_for_status()


def raykit(*words: str, codes: tuple[int, ...] = (0,)) -> tuple[float, float, str]:
    """One command: its seconds, its peak memory in MB, and what it printed."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "raykit", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    text = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    if code not in codes:
        raise SystemExit(f"raykit {' '.join(words)} ended with {code}:\n{text}")
    return seconds, usage.ru_maxrss / 1024, text


def measure(name: str, runs: int, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Print the median of some runs; the text of the last."""
    costs = [raykit(*words, codes=codes) for _ in range(runs)]
    seconds = statistics.median(cost[0] for cost in costs)
    memory = max(cost[1] for cost in costs)
    print(f"{name:28} {seconds:6.2f} s  {memory:5.0f} MB  n = {runs}", flush=True)
    return costs[-1][2]


@contextmanager
def too_big(context: str, folder: str) -> Iterator[Path]:
    """A spec that no node takes; the cluster is deleted afterwards."""
    spec = Path(folder) / "too-big.yaml"
    spec.write_text(TOO_BIG)
    try:
        yield spec
    finally:
        raykit("down", "-f", str(spec), "--context", context, "--yes", codes=(0, 4))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("context")
    parser.add_argument("--on", help="a ready cluster for submit")
    parser.add_argument("--nodes", type=int, default=2000, help="0: none, and no pods")
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="leave nodes and pods for another run")
    parser.add_argument("--source", type=Path, help="where the raykit to be measured lies")
    options = parser.parse_args()
    if options.source:
        os.environ["PYTHONPATH"] = str(options.source)
    on_context = ["--context", options.context]
    fakes = Fakes(options.context)
    try:
        began = time.monotonic()
        fakes.make(options.nodes, options.pods)
        print(f"{options.nodes} nodes, {options.pods} pods: {time.monotonic() - began:.0f} s")
        measure("status", options.runs, "status", *on_context)
        with tempfile.TemporaryDirectory() as folder, too_big(options.context, folder) as spec:
            if options.on:
                os.environ["RAYKIT_RUNS"] = folder
                on = ["--on", options.on, *on_context, "--entrypoint"]
                measure("submit", options.runs, "submit", *on, "--", "true")
            up = ["up", "-f", str(spec), *on_context, "--yes"]
            print(measure("up of what does not fit", 1, *up, codes=(5,)))
            measure("status beside it", options.runs, "status", *on_context)
    finally:
        if not options.keep:
            fakes.delete()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
