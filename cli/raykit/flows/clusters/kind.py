"""`raykit kind up` and `raykit kind down`: make a kind cluster with Ray on it, and delete it."""

from __future__ import annotations

import contextlib
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from raykit import kit, locks
from raykit.containers import docker, image, kind
from raykit.containers.kind import Node
from raykit.errors import KubernetesError, MissingError, RaykitError
from raykit.flows.clusters import up as flow
from raykit.flows.clusters.applying import Plan
from raykit.flows.ranges import BRING_UP_SECONDS
from raykit.kube import contexts, kubeconfig
from raykit.kube.connection import EVERYWHERE, Kubernetes, connect
from raykit.kuberay import choosing
from raykit.kuberay.helm import release, tool
from raykit.kuberay.pods import is_frozen
from raykit.manifests.render import render
from raykit.objects import Object, seconds
from raykit.progress import Progress, Task, together

NAME = "raykit"
SPEC = "single-node.yaml"
ANSWER_SECONDS = REPORT_SECONDS = 60.0
DOCTOR = "raykit doctor   (after that, to see that all is there)"


@dataclass(frozen=True)
class KindCluster:
    """A kind cluster that is ready. clusters: names of its RayClusters."""

    name: str
    context: str
    image: str
    clusters: tuple[str, ...]


def up(name: str, progress: Progress) -> KindCluster:
    """Make a kind cluster with Ray on it. Every step is safe to repeat; finished steps are skipped.

    Errors: MissingError (4) for a missing tool, KubernetesError (5) if a part does not become
    ready, ConflictError (8) if raykit did not make the cluster.
    """
    with progress.step("preflight", "docker, kind, Helm"):
        preflight()
    # All steps use one reference, even if somebody edits the jobs meanwhile.
    reference = image.reference()
    with locks.held(f"kind-{name}", f"raykit kind up or down of {name}"):
        kind.refuse_foreign(name, kind.nodes(name))
        together(
            progress,
            Task("kind-cluster", f"kind cluster {name}", lambda own: _cluster(name, own)),
            Task("image-build", "image built", lambda own: image.build(reference, own)),
        )
        connection = connect(contexts.of_kind(name))
        together(
            progress,
            Task("operator", "KubeRay operator", lambda own: release.install(connection, own)),
            Task("image-load", "image in the nodes", lambda own: _load(name, reference, own)),
        )
        _ray_cluster(connection, reference, progress)
        ready = [cluster.name for cluster in choosing.find(connection, labelled=True)]
    return KindCluster(name, connection.context, reference, tuple(ready))


def down(name: str, progress: Progress) -> bool:
    """Delete raykit's own kind cluster; return False if there is none.

    Errors: ConflictError (8) if raykit did not make it.
    """
    docker.engine()
    kind.check_version()
    with locks.held(f"kind-{name}", f"raykit kind up or down of {name}"):
        nodes = kind.nodes(name)
        kind.refuse_foreign(name, nodes)
        if not nodes:
            return False
        with progress.step("down", f"kind cluster {name} deleted"):
            kind.delete(name)
    return True


def build_image(progress: Progress) -> str:
    """Build raykit's own image unless the engine has it; return its reference."""
    with progress.step("image-build", "image built"):
        docker.engine()
        reference = image.reference()
        image.build(reference, progress)
    return reference


def load_image(name: str, progress: Progress) -> tuple[str, list[str]]:
    """Build the image and load it into a kind cluster.

    Returns its reference and the nodes that lacked it.
    Errors: MissingError (4) if there is no such cluster.
    """
    kind.check_version()
    reference = build_image(progress)
    nodes = kind.nodes(name)
    if not nodes:
        raise MissingError(f"there is no kind cluster {name}", next=f"raykit kind up --name {name}")
    with progress.step("image-load", "image in the nodes"):
        return reference, image.load(name, kind.workers(nodes), reference, progress)


def preflight() -> None:
    """Check docker, kind, Helm, and that `raykit` on PATH is this one.

    Errors: MissingError (4) for what is missing or does not fit, all at once.
    """
    needs = (require_this_raykit, docker.engine, kind.check_version, tool.check_version)
    errors = [error for need in needs if (error := _error_of(need))]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        evidence = [f"{error.what}; next: {error.next}" for error in errors]
        raise MissingError(f"{len(errors)} things are missing", evidence=evidence, next=DOCTOR)


def _error_of(need: Callable[[], object]) -> MissingError | None:
    try:
        need()
    except MissingError as error:
        return error
    return None


def require_this_raykit() -> None:
    on_path = which("raykit")
    ours = {
        Path(path).resolve()
        for path in (sys.argv[0], Path(sysconfig.get_path("scripts")) / "raykit")
        if Path(path).name == "raykit"
    }
    if on_path and Path(on_path).resolve() in ours:
        return
    activate = kit.root() / ".venv" / "bin" / "activate"
    raise MissingError(
        "the raykit on PATH is another one" if on_path else "raykit is not on PATH",
        evidence=[f"on PATH: {on_path}"] if on_path else [],
        next=". .venv/bin/activate" if activate.is_file() else "pipx install -e .",
    )


def _cluster(name: str, progress: Progress) -> None:
    """Make the kind cluster, or repair it, and wait until it answers."""
    nodes = kind.nodes(name)
    state = kind.state(nodes)
    if state is kind.State.partial:
        progress.note(f"the kind cluster {name} is incomplete: it is deleted and created again")
        kind.delete(name)
    if state in (kind.State.absent, kind.State.partial):
        _make(name, state is kind.State.partial, progress)
    if state is kind.State.stopped:
        progress.note(f"the nodes of kind cluster {name} are stopped: they are started")
        kind.start(nodes)
    _answers(name, progress)
    if state is kind.State.stopped:
        were_down = {node.name for node in nodes if not node.running}
        started = [node for node in kind.nodes(name) if node.name in were_down]
        report_anew(contexts.of_kind(name), started, progress)


def _make(name: str, leftovers: bool, progress: Progress) -> None:
    try:
        kind.create(name, progress)
    except KubernetesError:
        # The engine may still create nodes for a killed run after we have listed them.
        nodes = kind.nodes(name)
        if not (leftovers or nodes):
            raise
        kind.refuse_foreign(name, nodes)
        progress.note(f"an interrupted run left nodes of {name}: they are deleted first")
        kind.delete(name)
        kind.create(name, progress)


def _answers(name: str, progress: Progress) -> None:
    """Make the cluster's context the current one and wait until its API server answers."""
    context = contexts.of_kind(name)
    deadline = time.monotonic() + ANSWER_SECONDS
    config = kubeconfig.load()
    if config is None or config.current != context or context not in config.contexts:
        kind.export_kubeconfig(name)
        progress.note(f"the current kubeconfig context is now {context}")
    while True:
        try:
            connect(context).close()
            return
        except RaykitError as error:
            if time.monotonic() > deadline:
                raise KubernetesError(
                    f"the nodes of kind cluster {name} run, but its API server does not answer",
                    evidence=[error.what, *error.evidence],
                    next=f"raykit kind down --name {name}, then up: not every restart of nodes "
                    "keeps their addresses",
                ) from error
            progress.detail(error.what)
            kind.export_kubeconfig(name)
            time.sleep(1)


def report_anew(context: str, started: Sequence[Node], progress: Progress) -> None:
    """Wait until the kubelets of nodes that were started have reported how their pods are.

    Until then the API server says what was so before the nodes were stopped: that all is ready.
    After 60 s the wait for the Ray cluster goes on with what it says.
    """
    deadline = time.monotonic() + REPORT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(RaykitError), connect(context) as connection:
            frozen = sum(len(_frozen(connection, node)) for node in started)
            if not frozen:
                return
            progress.detail(f"{frozen} pods of nodes that were stopped are not reported yet")
        time.sleep(0.5)


def _frozen(connection: Kubernetes, node: Node) -> list[Object]:
    pods = connection.objects("Pod", EVERYWHERE, fields={"spec.nodeName": node.name})
    return [pod for pod in pods if node.began and is_frozen(pod, seconds(node.began))]


def _load(name: str, reference: str, progress: Progress) -> None:
    image.load(name, kind.workers(kind.nodes(name)), reference, progress)


def _ray_cluster(connection: Kubernetes, reference: str, progress: Progress) -> None:
    """Bring up the single-node cluster, unless the user has brought up other clusters."""
    spec = flow.read_spec(kit.root() / "deploy" / "clusters" / SPEC)
    spec = flow.in_namespace(spec, connection)
    others = [cluster.name for cluster in choosing.find(connection, labelled=True)]
    if others and spec.name not in others:
        progress.note(f"{', '.join(others)} exists already: {spec.name} is not brought up")
        return
    assert spec.namespace is not None
    flow.create_namespace(connection, spec.namespace)
    to_do = Plan(render(spec, image=reference))
    flow.come_up(connection, to_do, progress, BRING_UP_SECONDS)
