"""Reach a cluster's Ray head: by the API server's service proxy, else by kubectl port-forward."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from queue import Empty, Queue
from typing import IO

from raykit import processes
from raykit.endpoint import Ended, Endpoint
from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import Kubernetes, connect, secret_value
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay.raycluster import Cluster, refresh
from raykit.objects import Object
from raykit.progress import Progress, Waiting
from raykit.spec.names import TOKEN_KEY, token_secret

DASHBOARD = 8265
UP_SECONDS = 30.0
FORWARD_SECONDS = 10.0
AGAIN_SECONDS = 1.0
NO_WAY = {500, 502, 503, 504}
"""HTTP statuses of an API server that cannot reach the service; Ray may still be starting."""
INSTALL_KUBECTL = "install kubectl: https://kubernetes.io/docs/tasks/tools/"


@contextmanager
def reach(
    cluster: Cluster, progress: Progress, patience: float | None = None
) -> Iterator[Endpoint]:
    """An endpoint of the head while the block runs.

    patience: seconds for the API server to reach a head that may still be starting; None: 30.
    Errors: KubernetesError (5) if the head cannot be reached either way, MissingError (4) if there
    is no token, or no kubectl for the port-forward.
    """
    through_proxy = endpoint(cluster)
    trouble = _trouble(
        cluster, through_proxy, progress, UP_SECONDS if patience is None else patience
    )
    if trouble is None:
        yield replace(
            through_proxy,
            renew=lambda: _renewed(cluster, endpoint),
            ended=lambda: ended(cluster),
        )
        return
    progress.note(f"the API server does not reach the head ({trouble}): kubectl port-forward")
    with port_forward(cluster) as port:
        through_port = partial(forwarded, port=port)
        yield replace(
            through_port(cluster),
            renew=lambda: _renewed(cluster, through_port),
            ended=lambda: ended(cluster),
        )


def endpoint(cluster: Cluster) -> Endpoint:
    """The head through the API server's service proxy: needs no local port and no child process.

    The proxy does not pass `Authorization` on, so Ray's token is sent in `X-Ray-Authorization`.
    Errors: as `token`.
    """
    connection, ray = cluster.connection, token(cluster)
    authorization = connection.access.credentials.authorization
    headers = {"Authorization": authorization} if authorization else {}
    if ray:
        headers["X-Ray-Authorization"] = f"Bearer {ray}"
    secrets = connection.access.credentials.secrets
    return Endpoint(
        url=connection.access.server + _path(cluster),
        headers=headers,
        repeated_headers=connection.access.impersonation,
        secrets=(*secrets, ray) if ray else secrets,
        target={**cluster.target, "route": "service proxy"},
        tls=connection.tls,
        proxy=connection.access.proxy,
    )


def forwarded(cluster: Cluster, port: int) -> Endpoint:
    """The head through a forwarded port of this machine. Errors: as `token`."""
    ray = token(cluster)
    return Endpoint(
        url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {ray}"} if ray else {},
        secrets=(ray,) if ray else (),
        target={**cluster.target, "route": "port-forward"},
    )


def ended(cluster: Cluster) -> Ended | None:
    """Why the head of a cluster will not answer again; None while KubeRay can bring it back.

    Errors: MissingError (4), KubernetesError (5) if Kubernetes cannot be asked.
    """
    with connect(cluster.connection.context) as connection:
        item = connection.get("RayCluster", cluster.name, cluster.namespace)
        namespace_ends = item is not None and _is_ending(connection, cluster.namespace)
    if item is None:
        what = f"there is no RayCluster {cluster.where} any more"
    elif item["metadata"].get("uid") != cluster.item["metadata"].get("uid"):
        what = f"the RayCluster {cluster.where} was deleted and created again"
    elif item["metadata"].get("deletionTimestamp"):
        what = f"the RayCluster {cluster.where} is being deleted"
    elif namespace_ends:
        what = f"the namespace {cluster.namespace} is being deleted, and {cluster.where} with it"
    elif item["spec"].get("suspend"):
        return Ended(
            f"the RayCluster {cluster.where} is suspended, and its pods have ended",
            next="raykit status shows whether it waits in a queue; then submit the job again",
        )
    else:
        return None
    return Ended(
        what,
        next="raykit up -f SPEC creates it; then submit the job again",
        deleted=True,
    )


def _is_ending(connection: Kubernetes, namespace: str) -> bool:
    """Whether a namespace is being deleted. Its pods end first, its RayClusters last."""
    with suppress(ForbiddenError):
        item = connection.get("Namespace", namespace)
        return item is not None and "deletionTimestamp" in item["metadata"]
    return False


def has_secret(ray_cluster: Object) -> bool:
    """Whether the head wants a token that stands in a Secret."""
    options = ray_cluster["spec"].get("authOptions") or {}
    return options.get("mode") == "token" and not options.get("enableK8sTokenAuth")


def token(cluster: Cluster) -> str | None:
    """The cluster's Ray token; None if the cluster does not require one.

    It is in the Secret that KubeRay made or that `authOptions.secretName` names. With
    `enableK8sTokenAuth` it is our own Kubernetes token. RAY_AUTH_TOKEN is the fallback for both.
    Errors: MissingError (4) if there is no token.
    """
    options = cluster.item["spec"].get("authOptions") or {}
    if options.get("mode") != "token":
        return None
    try:
        if not has_secret(cluster.item):
            return _kubernetes_token(cluster)
        return _token_of_secret(cluster, options.get("secretName") or token_secret(cluster.name))
    except MissingError:
        given = os.environ.get("RAY_AUTH_TOKEN", "").strip()
        if given:
            return given
        raise


def _kubernetes_token(cluster: Cluster) -> str:
    bearer = cluster.connection.access.credentials.bearer
    if bearer is None:
        raise MissingError(
            f"{cluster.where} wants a Kubernetes token, and the kubeconfig has none",
            evidence=["authOptions.enableK8sTokenAuth is set; the user has no token, only others"],
            next="export RAY_AUTH_TOKEN=$("
            f"{kubectl(cluster.connection.context, cluster.namespace)} create token default)",
        )
    return bearer


def _token_of_secret(cluster: Cluster, name: str) -> str:
    try:
        secret = secret_value(cluster.connection, name, TOKEN_KEY, cluster.namespace)
    except ForbiddenError as forbidden:
        evidence, next = forbidden.evidence, f"set RAY_AUTH_TOKEN, or: {forbidden.next}"
        what = f"the token of {cluster.where} cannot be read"
        raise MissingError(what, evidence=evidence, next=next) from forbidden
    if not secret:
        raise MissingError(
            f"the token of {cluster.where} is not there",
            evidence=[f"no Secret {name} with the key {TOKEN_KEY}"],
            next=shlex.join(["raykit", "status", "--context", cluster.connection.context]),
        )
    if not (secret.isascii() and secret.isprintable()):
        raise MissingError(
            f"the token of {cluster.where} has characters that no HTTP header carries",
            evidence=[f"Secret {name}, key {TOKEN_KEY}"],
            next=f"{kubectl(cluster.connection.context, cluster.namespace)} get secret {name}",
        )
    return secret


@contextmanager
def port_forward(cluster: Cluster) -> Iterator[int]:
    """Forward a free loopback port to the head while the block runs; the port number.

    kubectl ends when its connection breaks; raykit then starts it again on the same port.
    Errors: MissingError (4) without kubectl, KubernetesError (5) if it opens no port in 10 s.
    """
    forward = _Forward(cluster)
    try:
        yield forward.port
    finally:
        forward.close()


class _Forward(threading.Thread):
    """Runs `kubectl port-forward`, and starts it again when it ends, until `close`."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="port-forward", daemon=True)
        self.words = [processes.find("kubectl", install_hint=INSTALL_KUBECTL)]
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
    output, deadline = [], time.monotonic() + FORWARD_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=min(left, 0.2))
        except Empty:
            if child.poll() is not None:
                break
            continue
        output.append(line)
        if match := re.search(r"from 127\.0\.0\.1:(\d+)", line):
            return int(match[1])
    raise KubernetesError("kubectl port-forward opened no port", evidence=output[-5:])


def _drain(stream: IO[bytes], lines: Queue[str]) -> None:
    with stream:
        for line in iter(stream.readline, b""):
            lines.put(line.decode("utf-8", "replace").rstrip())


def _trouble(cluster: Cluster, way: Endpoint, progress: Progress, patience: float) -> str | None:
    """Why the proxy does not reach the head in so many seconds; None if it does.

    A refusal (401, 403) counts as reached: the head answers.
    """
    deadline = time.monotonic() + patience
    waiting = Waiting(progress)
    while True:
        status = _health(cluster, way)
        if status not in NO_WAY:
            return None
        if time.monotonic() > deadline:
            return f"HTTP {status}"
        waiting.show(f"the head's dashboard does not answer yet (HTTP {status})")
        time.sleep(0.5)


def _health(cluster: Cluster, way: Endpoint) -> int:
    path = way.url.removeprefix(cluster.connection.access.server)
    return cluster.connection.status_of(f"{path}/api/gcs_healthz")


def _renewed(cluster: Cluster, way: Callable[[Cluster], Endpoint]) -> Endpoint:
    """An endpoint of the same cluster with fresh credentials: those of a kubeconfig expire."""
    with connect(cluster.connection.context) as connection:
        return way(refresh(replace(cluster, connection=connection)))


def _path(cluster: Cluster) -> str:
    return f"/api/v1/namespaces/{cluster.namespace}/services/{cluster.head_service}:dashboard/proxy"
