"""The way to a cluster's Ray head: the API server's service proxy, else a kubectl port-forward."""

from __future__ import annotations

import base64
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import IO

from raykit import processes
from raykit.endpoint import Endpoint
from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import connect, secret_value
from raykit.kube.errors import translated
from raykit.kuberay.raycluster import Cluster, again
from raykit.progress import Progress
from raykit.spec.names import TOKEN_KEY, token_secret

DASHBOARD = 8265
UP_SECONDS = 30.0
FORWARD_SECONDS = 10.0
AGAIN_SECONDS = 1.0
NO_WAY = {500, 502, 503, 504}
"""Answers of an API server that cannot reach the service; Ray itself may still be starting."""
INSTALL_KUBECTL = "install kubectl: https://kubernetes.io/docs/tasks/tools/"


@contextmanager
def reach(cluster: Cluster, progress: Progress) -> Iterator[Endpoint]:
    """An endpoint at which the head answers, for as long as the block runs.

    Errors: KubernetesError (5) where neither way leads there, MissingError (4) without a token.
    """
    through_proxy = endpoint(cluster)
    trouble = _trouble(cluster, through_proxy, progress)
    if trouble is None:
        yield replace(through_proxy, renew=lambda: _renewed(cluster, endpoint))
        return
    progress.note(f"the API server does not reach the head ({trouble}): kubectl port-forward")
    with port_forward(cluster) as port:
        through_port = partial(forwarded, port=port)
        yield replace(through_port(cluster), renew=lambda: _renewed(cluster, through_port))


def endpoint(cluster: Cluster) -> Endpoint:
    """The head through the API server's service proxy: no local port, no child process.

    The proxy keeps `Authorization` for itself, so Ray's token travels in `X-Ray-Authorization`.
    """
    headers = _credentials(cluster)
    secrets = tuple(value.split(" ", 1)[1] for value in headers.values())
    ray = token(cluster)
    if ray:
        headers["X-Ray-Authorization"] = f"Bearer {ray}"
    return Endpoint(
        url=cluster.connection.access.server.rstrip("/") + _path(cluster),
        headers=headers,
        secrets=(*secrets, ray) if ray else secrets,
        target=_target(cluster, "service proxy"),
        tls=cluster.connection.tls(),
    )


def forwarded(cluster: Cluster, port: int) -> Endpoint:
    """The head through a port of this machine."""
    ray = token(cluster)
    return Endpoint(
        url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {ray}"} if ray else {},
        secrets=(ray,) if ray else (),
        target=_target(cluster, "port-forward"),
    )


def token(cluster: Cluster) -> str | None:
    """Ray's token from the cluster's Secret; None where the cluster asks for none.

    Errors: MissingError (4) where there should be one.
    """
    if (cluster.item["spec"].get("authOptions") or {}).get("mode") != "token":
        return None
    name = token_secret(cluster.name)
    found = secret_value(cluster.connection, name, TOKEN_KEY, cluster.namespace)
    if found is None:
        raise MissingError(
            f"the token of {cluster.where} is not there",
            evidence=[f"no Secret {name} with the key {TOKEN_KEY}"],
            next=f"raykit status --context {cluster.connection.context}",
        )
    return found


@contextmanager
def port_forward(cluster: Cluster) -> Iterator[int]:
    """A free loopback port that leads to the head while the block runs.

    kubectl ends where its connection breaks; it is then started again on the same port.
    """
    forward = _Forward(cluster)
    try:
        yield forward.port
    finally:
        forward.close()


class _Forward(threading.Thread):
    """`kubectl port-forward`, kept running until it is closed."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="port-forward", daemon=True)
        self.words = [processes.find("kubectl", mend=INSTALL_KUBECTL)]
        self.words += ["--context", cluster.connection.context, "--namespace", cluster.namespace]
        self.words += ["port-forward", "--address", "127.0.0.1", f"service/{cluster.head_service}"]
        self.closing = threading.Event()
        self.child = self._spawn(f":{DASHBOARD}", stdout=subprocess.PIPE)
        try:
            self.port = _announced(self.child)
        except BaseException:
            self._end()
            raise
        self.start()

    def run(self) -> None:
        self.child.wait()
        while not self.closing.wait(AGAIN_SECONDS):
            self.child = self._spawn(f"{self.port}:{DASHBOARD}", stdout=subprocess.DEVNULL)
            self.child.wait()

    def close(self) -> None:
        self.closing.set()
        while self.is_alive():
            self.child.terminate()
            self.join(0.1)
        self._end()

    def _spawn(self, ports: str, stdout: int) -> subprocess.Popen[bytes]:
        return processes.spawn([*self.words, ports], stdout=stdout, stderr=subprocess.STDOUT)

    def _end(self) -> None:
        self.child.terminate()
        self.child.wait(FORWARD_SECONDS)


def _announced(child: subprocess.Popen[bytes]) -> int:
    assert child.stdout is not None
    lines: Queue[str] = Queue()
    threading.Thread(target=_drain, args=(child.stdout, lines), daemon=True).start()
    said, deadline = [], time.monotonic() + FORWARD_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=min(left, 0.2))
        except Empty:
            if child.poll() is not None:
                break
            continue
        said.append(line)
        if found := re.search(r"from 127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise KubernetesError("kubectl port-forward opened no port", evidence=said[-5:])


def _drain(stream: IO[bytes], lines: Queue[str]) -> None:
    with stream:
        for line in iter(stream.readline, b""):
            lines.put(line.decode("utf-8", "replace").rstrip())


def _trouble(cluster: Cluster, way: Endpoint, progress: Progress) -> str | None:
    """What keeps the proxy from reaching the head; None where it does.

    A refusal (401, 403) is an answer: the head is up.
    """
    deadline = time.monotonic() + UP_SECONDS
    while True:
        status = _health(cluster, way)
        if status not in NO_WAY:
            return None
        if time.monotonic() > deadline:
            return f"HTTP {status}"
        progress.detail(f"the head's dashboard (HTTP {status})")
        time.sleep(0.5)


def _health(cluster: Cluster, way: Endpoint) -> int:
    with translated(cluster.connection.context, cluster.connection.access.server):
        path = way.url.removeprefix(cluster.connection.access.server.rstrip("/"))
        return cluster.connection.raw.get(f"{path}/api/gcs_healthz").status_code


def _renewed(cluster: Cluster, way: Callable[[Cluster], Endpoint]) -> Endpoint:
    """The way to the same cluster by credentials as they are now: a kubeconfig's expire."""
    with connect(cluster.connection.context) as connection:
        return way(again(replace(cluster, connection=connection)))


def _credentials(cluster: Cluster) -> dict[str, str]:
    """The header by which the API server knows us; none with a client certificate."""
    user = cluster.connection.access.config.user
    if user is None:
        return {}
    bearer = Path(user.token_file).read_text().strip() if user.token_file else user.token
    if bearer:
        return {"Authorization": f"Bearer {bearer}"}
    if user.username and user.password:
        pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


def _path(cluster: Cluster) -> str:
    return f"/api/v1/namespaces/{cluster.namespace}/services/{cluster.head_service}:dashboard/proxy"


def _target(cluster: Cluster, route: str) -> dict[str, object]:
    return {
        "kind": "kubernetes",
        "context": cluster.connection.context,
        "namespace": cluster.namespace,
        "cluster": cluster.name,
        "route": route,
    }
