"""Whether network policies are enforced: two pods listen, one behind a policy, and a third calls.

Many clusters accept NetworkPolicy objects and enforce none, so only trying tells.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from raykit import checks
from raykit.checks import Check
from raykit.kube.connection import Kubernetes
from raykit.kuberay.checks import short_pod
from raykit.objects import Object, seconds
from raykit.progress import Progress
from raykit.spec import names

NAME = "network-policies"
MARK, ROLE = "raykit.io/probe", "raykit.io/probe-role"
OPEN, CLOSED, CALLER = "open", "closed", "caller"
RULES: dict[str, Object] = {
    OPEN: {"policyTypes": ["Ingress"], "ingress": [{}]},
    CLOSED: {"policyTypes": ["Ingress"], "ingress": []},
    CALLER: {"policyTypes": ["Egress"], "egress": [{}]},
}
"""The policy of each pod. Two of them allow what a policy of the namespace may forbid to all."""
PORT = 8000
LISTEN = ["python", "-m", "http.server", str(PORT), "--directory", "/tmp"]
CALL = f"""
import socket, sys, time

def reached(address):
    try:
        socket.create_connection((address, {PORT}), 2).close()
        return True
    except OSError:
        return False

def within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True

open_, closed = sys.argv[1:]
print("open", within(20, lambda: reached(open_)))
print("blocked", within(10, lambda: not reached(closed) and reached(open_)))
"""
"""Network plugins take a few seconds to enforce a new policy, and listeners to listen."""


def check(
    connection: Kubernetes,
    namespace: str,
    image: str,
    needed: bool,
    progress: Progress,
    pull_secrets: Sequence[str] = (),
) -> Check:
    """Whether the namespace's network policies are enforced, by three pods that are then deleted.

    image: of the pods, pulled with pull_secrets; it has Python. needed: whether a spec relies on
    policies.
    Errors: those of `short_pod`, such as ForbiddenError (4), KubernetesError (5).
    """
    mark = secrets.token_hex(4)
    pod = partial(_pod, image, pull_secrets, mark)
    _sweep(connection, namespace)
    with _policies(connection, namespace, mark), ExitStack() as pods:
        listening = [
            pods.enter_context(short_pod.made(connection, namespace, pod(role, LISTEN)))
            for role in (OPEN, CLOSED)
        ]
        addresses = [_address(connection, namespace, name, progress) for name in listening]
        words = ["python", "-c", CALL, *addresses]
        caller = pod(CALLER, words)
        return judge(short_pod.output(connection, namespace, caller, progress), needed)


def judge(output: str, needed: bool) -> Check:
    """What the caller saw. output: what it printed."""
    lines = output.splitlines()
    if "open True" not in lines:
        what = "pods of this namespace do not reach each other, so nothing is known of policies"
        return checks.warning(NAME, what, lines, "Ray's pods need that: look at the network plugin")
    if "blocked True" in lines:
        return checks.ok(NAME, "network policies are enforced (tried with pods)")
    what = "network policies are accepted, but not enforced: any pod of the cluster gets in"
    evidence = ["a pod behind a policy that lets nobody in was reached for 10 s"]
    next = "use a network plugin that enforces them, such as Calico or Cilium"
    build = checks.missing if needed else checks.warning
    return build(NAME, what, evidence, next)


def _address(connection: Kubernetes, namespace: str, name: str, progress: Progress) -> str:
    pod = short_pod.wait(connection, namespace, name, ("Running",), progress)
    return str((pod.get("status") or {}).get("podIP", ""))


def _pod(
    image: str, pull_secrets: Sequence[str], mark: str, role: str, words: Sequence[str]
) -> Object:
    pod = short_pod.manifest(image, words, pull_secrets)
    labels = {**pod["metadata"]["labels"], MARK: mark, ROLE: role}
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


@contextmanager
def _policies(connection: Kubernetes, namespace: str, mark: str) -> Iterator[None]:
    """The three policies while the block lasts."""
    with ExitStack() as stack:
        for role, rule in RULES.items():
            name = f"raykit-check-{mark}-{role}"
            stack.callback(connection.delete, "NetworkPolicy", name, namespace)
            selector = {"matchLabels": {MARK: mark, ROLE: role}}
            labels = {names.MANAGED_BY_LABEL: names.MANAGED_BY, MARK: mark}
            policy = {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": {"podSelector": selector, **rule},
            }
            connection.apply(policy)
        yield


def _sweep(connection: Kubernetes, namespace: str) -> None:
    """Delete what an earlier check left behind, such as after `kill -9`."""
    for kind in ("NetworkPolicy", "Pod"):
        for item in connection.objects(kind, namespace, labels={MARK: ""}):
            created = seconds(item["metadata"]["creationTimestamp"])
            if time.time() - created > 2 * short_pod.SECONDS:
                connection.delete(kind, item["metadata"]["name"], namespace)
