"""`raykit doctor`: what raykit needs, on this machine, in the context, and for a spec."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from raykit import checks, kit
from raykit.checks import Check, Question, State, as_warning
from raykit.containers import image
from raykit.containers.checks import machine
from raykit.errors import RaykitError
from raykit.flows.clusters import images, kind, up
from raykit.flows.examining import questions
from raykit.kube import kubeconfig
from raykit.kube.checks import rights, rules
from raykit.kube.checks.rules import Rule
from raykit.kube.connection import Kubernetes, connect
from raykit.kuberay.checks import definitions, operator, policies, queue, tools
from raykit.local import leftovers, ray_start
from raykit.manifests.render import render, to_yaml
from raykit.objects import ray_cluster_of
from raykit.progress import Progress
from raykit.spec.model import ClusterSpec

SAMPLE = "multi-node.yaml"
"""The shape that is tried where no spec is named: a head and a group of workers."""
AT_ONCE = 16
SOURCE = "image-source"


@dataclass(frozen=True)
class Request:
    """The arguments of `raykit doctor`.

    spec: None: a shape of the kit is tried in its place. probe: whether pods may be started for a
    few seconds, to see whether network policies are enforced. file: the spec's, for messages.
    """

    spec: ClusterSpec | None = None
    file: Path | None = None
    context: str | None = None
    namespace: str | None = None
    probe: bool = False


@dataclass(frozen=True)
class Report:
    """groups: titles with their checks, in the order in which things depend on each other.

    role: the RBAC rules that are missing, as YAML to apply; empty if none is.
    """

    groups: Sequence[tuple[str, Sequence[Check]]] = ()
    role: str = ""

    @property
    def error(self) -> RaykitError | None:
        return checks.failure([check for _, group in self.groups for check in group])

    def as_dict(self) -> dict[str, object]:
        rows = [{"group": title, **one.as_dict()} for title, group in self.groups for one in group]
        return {"checks": rows, "role": self.role or None}


def examine(request: Request) -> Report:
    """Run all checks together; a problem of one does not keep the others from being run."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        here = checks.started(pool, this_machine())
        docker = pool.submit(machine.engine)
        inside = _started_image(pool, request.spec)
        reached, connection = _reach(request)
        if connection is None:
            machine_only = [("this machine", _results(here)), ("docker", docker.result())]
            return Report([*machine_only, ("context", [reached]), *_image_group(inside)])
        cluster = _Cluster(connection, request, pool)
        context = checks.started(pool, cluster.context())
        kuberay = checks.started(pool, cluster.kuberay())
        place = checks.started(pool, cluster.place())
        groups = [
            ("this machine", _results(here)),
            ("docker", docker.result()),
            ("context", [reached, *_results(context)]),
            ("KubeRay", _results(kuberay)),
            (f"namespace {cluster.namespace}", _results(place)),
            *_image_group(inside),
        ]
    return Report(groups, cluster.role())


def _results(started: Sequence[Future[Check]]) -> list[Check]:
    return [one.result() for one in started]


def _started_image(pool: Executor, spec: ClusterSpec | None) -> Future[list[Check]] | None:
    return pool.submit(images.check_for_doctor, spec) if spec else None


def _image_group(inside: Future[list[Check]] | None) -> list[tuple[str, list[Check]]]:
    return [("image of the spec", inside.result())] if inside else []


def this_machine() -> list[Question]:
    """The checks of this machine. A tool that is missing concerns only what needs it."""
    return [
        _for_some("python", _python, "--on local"),
        _for_some("raykit", _raykit, "make, and scripts that call raykit"),
        Question("inotify", machine.inotify),
        _for_some("kind", machine.kind_version, "raykit kind, raykit image load"),
        _for_some("helm", tools.helm, "raykit kind up"),
        _for_some("kubectl", tools.kubectl, "clusters that the API server's proxy does not reach"),
        Question("leftovers", lambda: leftovers.check(os.getuid())),
    ]


def _for_some(name: str, examine: Callable[[], Check], use: str) -> Question:
    """A check whose failure is a warning. use: the commands that need it."""
    return Question(name, lambda: as_warning(checks.answer(Question(name, examine)), use))


class _Cluster:
    """The checks of a context that answers. lacking: the RBAC rules that were found missing."""

    def __init__(self, connection: Kubernetes, request: Request, pool: Executor) -> None:
        spec = request.spec or up.read_spec(kit.root() / "deploy" / "clusters" / SAMPLE)
        self.connection = connection
        self.namespace = request.namespace or spec.namespace or connection.namespace
        self.spec, self.file = spec, request.file
        self.image = spec.image or image.reference()
        self.pull_secrets = tuple(spec.pull_secrets)
        self.items = render(spec, image=self.image)
        self.probe, self.has_spec = request.probe, request.spec is not None
        self.lacking: Sequence[Rule] = ()
        self.user = ""
        # Asked once: docker and a registry may have to answer.
        self.source = pool.submit(checks.answer, Question(SOURCE, self._image_source))

    def context(self) -> list[Question]:
        source = [Question(SOURCE, self.source.result)] if self.has_spec else []
        return [Question(rights.NAME, self._rights), *source]

    def kuberay(self) -> list[Question]:
        on, where = self.connection, self.namespace
        return [
            *questions.kuberay(on, where),
            Question(definitions.FIELDS, lambda: definitions.fields(on, where, self.items)),
            Question(operator.LOG, lambda: operator.log(on, where)),
        ]

    def place(self) -> list[Question]:
        ray_cluster = ray_cluster_of(self.items)
        return [
            *questions.place(self.connection, self.namespace, ray_cluster),
            *self._queues(),
            *([Question(policies.NAME, self._policies)] if self.probe else []),
        ]

    def _queues(self) -> list[Question]:
        on, where = self.connection, self.namespace
        if self.has_spec:
            return questions.queues(on, where, self.items)
        return [Question(queue.NAME, lambda: queue.of_namespace(on, where))]

    def role(self) -> str:
        """The roles that grant what is missing, as YAML to apply; empty if nothing is."""
        if not self.lacking:
            return ""
        return to_yaml(rules.roles(self.lacking, self.namespace, self.user or "NAME"))

    def _image_source(self) -> Check:
        """Errors: MissingError (4) as `up` has it, for an image that is in no registry."""
        up.refuse_absent_image(self.connection.about, self.spec, self.file)
        return checks.ok(SOURCE, f"nodes of this context can have {self.image}")

    def _policies(self) -> Check:
        source = self.source.result()
        if source.state is State.fail:
            return replace(source, name=policies.NAME)
        needed = any(item["kind"] == "NetworkPolicy" for item in self.items)
        return policies.check(
            self.connection, self.namespace, self.image, needed, Progress(), self.pull_secrets
        )

    def _rights(self) -> Check:
        wanted = rules.of_kinds(item["kind"] for item in self.items)
        found = rights.read(self.connection, wanted, self.namespace)
        self.lacking, self.user = found.missing, found.user
        return rights.judge(found, self.namespace)


def _reach(request: Request) -> tuple[Check, Kubernetes | None]:
    """Whether the context answers. Without any context the checks of this machine remain."""
    name = "context"
    try:
        if not request.context and not kubeconfig.has_context():
            what = "there is no Kubernetes context: only this machine was checked"
            return checks.skipped(name, what, next="raykit kind up   (or set KUBECONFIG)"), None
        connection = connect(request.context)
    except RaykitError as error:
        return checks.of_error(name, error), None
    where = f"{connection.context} at {connection.access.server}"
    return checks.ok(name, f"{where} answers: Kubernetes {_version(connection)}"), connection


def _version(connection: Kubernetes) -> str:
    try:
        return connection.version()
    except RaykitError:
        return "of a hidden version"


def _python() -> Check:
    """Errors: MissingError (4) if Ray is not installed."""
    version, ray = sys.version.split()[0], ray_start.installed_ray()
    return checks.ok("python", f"Python {version}, Ray {ray}")


def _raykit() -> Check:
    """Errors: MissingError (4) if another raykit is on PATH, or none."""
    kind.require_this_raykit()
    return checks.ok("raykit", "the raykit on PATH is this one")
