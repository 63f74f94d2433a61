"""From nothing to a Ray cluster on kind, and back: `raykit kind up` and `raykit kind down`."""

from __future__ import annotations

import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from raykit import kit, locks
from raykit.containers import docker, image, kind
from raykit.errors import KubernetesError, MissingError, RaykitError
from raykit.flows.clusters import up as flow
from raykit.flows.clusters.applying import Plan
from raykit.kube import contexts, kubeconfig
from raykit.kube.connection import Kubernetes, connect
from raykit.kuberay import choosing, operator
from raykit.manifests.render import render
from raykit.progress import Progress, Task, together

NAME = "raykit"
SPEC = "single-node.yaml"
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Ground:
    """A kind cluster that is ready. clusters: where Ray runs on it."""

    name: str
    context: str
    image: str
    clusters: tuple[str, ...]


def up(name: str, progress: Progress) -> Ground:
    """Make what is missing, step by step: each step is a no-op where its work is done.

    Errors: MissingError (4), KubernetesError (5), ConflictError (8).
    """
    with progress.step("preflight", "docker, kind, Helm"):
        preflight()
    # One reference for all steps, also where the jobs are edited meanwhile.
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
            Task("operator", "KubeRay operator", lambda own: operator.install(connection, own)),
            Task("image-load", "image in the nodes", lambda own: _load(name, reference, own)),
        )
        _ray_cluster(connection, reference, progress)
        ready = [cluster.name for cluster in choosing.find(connection, labelled=True)]
    return Ground(name, connection.context, reference, tuple(ready))


def down(name: str, progress: Progress) -> bool:
    """Delete the kind cluster where it is raykit's; False where there is none.

    Errors: ConflictError (8) where it is somebody else's.
    """
    docker.engine()
    kind.check_version()
    with locks.held(f"kind-{name}", f"raykit kind up or down of {name}"):
        found = kind.nodes(name)
        kind.refuse_foreign(name, found)
        if not found:
            return False
        with progress.step("down", f"kind cluster {name} deleted"):
            kind.delete(name)
    return True


def build_image(progress: Progress) -> str:
    """Build the image where the engine lacks it; its reference."""
    with progress.step("image-build", "image built"):
        docker.engine()
        reference = image.reference()
        image.build(reference, progress)
    return reference


def load_image(name: str, progress: Progress) -> tuple[str, list[str]]:
    """Build the image and load it into a kind cluster; its reference, the nodes that lacked it.

    Errors: MissingError (4) where there is no such cluster.
    """
    kind.check_version()
    reference = build_image(progress)
    found = kind.nodes(name)
    if not found:
        raise MissingError(f"there is no kind cluster {name}", next=f"raykit kind up --name {name}")
    with progress.step("image-load", "image in the nodes"):
        return reference, image.load(name, kind.workers(found), reference, progress)


def preflight() -> None:
    """Errors: MissingError (4): a tool, the docker engine, or this very raykit on PATH."""
    _this_raykit()
    docker.engine()
    kind.check_version()
    operator.check_helm()


def _this_raykit() -> None:
    found = which("raykit")
    ours = {
        Path(path).resolve()
        for path in (sys.argv[0], Path(sysconfig.get_path("scripts")) / "raykit")
        if Path(path).name == "raykit"
    }
    if found and Path(found).resolve() in ours:
        return
    activate = kit.root() / ".venv" / "bin" / "activate"
    raise MissingError(
        "the raykit on PATH is another one" if found else "raykit is not on PATH",
        evidence=[f"on PATH: {found}"] if found else [],
        next=". .venv/bin/activate" if activate.is_file() else "pipx install -e .",
    )


def _cluster(name: str, progress: Progress) -> None:
    """A kind cluster that answers, in whatever state it was found."""
    found = kind.nodes(name)
    state = kind.state(found)
    if state is kind.State.partial:
        progress.note(f"the kind cluster {name} is half made: it is deleted and made anew")
        kind.delete(name)
    if state in (kind.State.absent, kind.State.partial):
        _make(name, state is kind.State.partial, progress)
    if state is kind.State.stopped:
        progress.note(f"the nodes of kind cluster {name} are stopped: they are started")
        kind.start(found)
    _answers(name, progress)


def _make(name: str, leftovers: bool, progress: Progress) -> None:
    try:
        kind.create(name, progress)
    except KubernetesError:
        # The engine ends what a killed run had asked of it: nodes that turn up after we looked.
        found = kind.nodes(name)
        if not (leftovers or found):
            raise
        kind.refuse_foreign(name, found)
        progress.note(f"nodes of an interrupted run were in the way of {name}: once more")
        kind.delete(name)
        kind.create(name, progress)


def _answers(name: str, progress: Progress) -> None:
    """The cluster's context is the current one, and its API server answers through it."""
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


def _load(name: str, reference: str, progress: Progress) -> None:
    image.load(name, kind.workers(kind.nodes(name)), reference, progress)


def _ray_cluster(connection: Kubernetes, reference: str, progress: Progress) -> None:
    """The single-node cluster, unless the user has put another in its place."""
    spec = flow.read_spec(kit.root() / "deploy" / "clusters" / SPEC)
    spec = flow.in_namespace(spec, connection)
    others = [cluster.name for cluster in choosing.find(connection, labelled=True)]
    if others and spec.name not in others:
        progress.note(f"{', '.join(others)} is there already: {spec.name} is left out")
        return
    assert spec.namespace is not None
    flow.create_namespace(connection, spec.namespace)
    to_do = Plan(render(spec, image=reference))
    flow.come_up(connection, to_do, progress, flow.TIMEOUT_SECONDS)
