"""Where a job runs: `--on`, else RAYKIT_ON, else the cluster that is there, else a local head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, MissingError, UsageError
from raykit.kube import kubeconfig
from raykit.local import heads, warm
from raykit.measure.records import RunRecord
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

if TYPE_CHECKING:
    from raykit.kuberay.raycluster import Cluster


@dataclass(frozen=True)
class Where:
    """What the user said of the place: `--on`, `--context`, `--namespace`, and the environment."""

    environ: Mapping[str, str]
    on: str | None = None
    context: str | None = None
    namespace: str | None = None

    @property
    def word(self) -> str | None:
        return self.on or self.environ.get("RAYKIT_ON") or None

    @property
    def source(self) -> str:
        return "--on" if self.on else "RAYKIT_ON"


class Target(Protocol):
    """A place to run jobs.

    owned: it lives for one submission, and a job ends with it. has_kit: raykit's jobs are there.
    here: it is on this machine and sees the same files.
    """

    @property
    def here(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def has_kit(self) -> bool: ...

    @property
    def owned(self) -> bool: ...

    def open(self, progress: Progress) -> contextlib.AbstractContextManager[Endpoint]:
        """The endpoint to speak to while the block lasts."""

    def observe(self) -> dict[str, Any]:
        """What a record says of the cluster's side, such as its Kubernetes nodes."""


@dataclass(frozen=True)
class OwnHead:
    """A local head that lives for one submission."""

    reason: str
    owned: bool = True
    has_kit: bool = True
    here: bool = True

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        with heads.head(progress) as head:
            yield head.endpoint()

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class WarmLocal:
    """A local head that stays between submissions."""

    head: warm.WarmHead
    reason: str
    owned: bool = False
    has_kit: bool = True
    here: bool = True

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        progress.detail(self.head.url)
        yield self.head.head().endpoint()

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Address:
    """A Ray head at an address; its token comes from the environment or a file."""

    url: str
    reason: str
    environ: Mapping[str, str]
    owned: bool = False
    has_kit: bool = False
    here: bool = False

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        bare = Endpoint(self.url, target={"kind": "url", "url": self.url})
        with progress.step("reach", f"Ray head at {self.url}"), Transport(bare) as transport:
            mode = JobsApi(transport).authentication_mode()
        # The token is sent only to a head that asks for one.
        token = find_token(self.environ) if mode == "token" else None
        if token is None:
            yield bare
            return

        def renew() -> Endpoint:
            return authorised(bare, find_token(self.environ) or token)

        yield replace(authorised(bare, token), renew=renew)

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class OnKubernetes:
    """A RayCluster that carries raykit's label, through the API server."""

    cluster: Cluster
    reason: str
    owned: bool = False
    here: bool = False

    @property
    def has_kit(self) -> bool:
        """Whether the cluster runs an image that raykit built."""
        from raykit.containers import image
        from raykit.kuberay.pods import ray_image

        return image.is_own(ray_image(self.cluster.item))

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        from raykit.kuberay.reach import reach

        with contextlib.ExitStack() as way:
            with progress.step("reach", f"Ray head of {self.cluster.where}"):
                endpoint = way.enter_context(reach(self.cluster, progress))
            yield endpoint

    def observe(self) -> dict[str, Any]:
        from raykit.kuberay import observed

        return observed.observe(self.cluster)


def authorised(endpoint: Endpoint, token: str) -> Endpoint:
    """The endpoint with a token that is sent along and never written."""
    return replace(
        endpoint,
        headers={**endpoint.headers, "Authorization": f"Bearer {token}"},
        secrets=(*endpoint.secrets, token),
    )


def find_token(environ: Mapping[str, str]) -> str | None:
    """Ray's own order: RAY_AUTH_TOKEN, the file RAY_AUTH_TOKEN_PATH names, ~/.ray/auth_token."""
    if environ.get("RAY_AUTH_TOKEN"):
        return environ["RAY_AUTH_TOKEN"].strip()
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with contextlib.suppress(OSError):
        return path.read_text("utf-8").strip() or None
    return None


def choose(where: Where) -> Target:
    """The target and, in its `reason`, why it is this one.

    Errors: UsageError (2) where the word names nothing or several things, MissingError (4) and
    KubernetesError (5) for a context that cannot be used.
    """
    word = where.word
    if not word:
        return _unasked(where)
    if word == "local":
        return _local(where)
    if word.startswith(("http://", "https://")):
        reason = f"running on {word} ({where.source})"
        return Address(word.rstrip("/") + "/", reason, where.environ)
    return _named(where, word)


def of_record(record: RunRecord, where: Where) -> Target:
    """Where a recorded run's job is, or was.

    Errors: JobsApiError (6) where its head has ended with it.
    """
    target = record.target
    word = target.get("cluster") or (target.get("url") if target.get("kind") == "url" else None)
    if word is None:
        raise JobsApiError(
            f"the run {record.id} had a local head of its own, which has ended",
            evidence=[f"status when last seen: {record.status}"],
            next=f"raykit runs show {record.id}",
        )
    return choose(
        replace(
            where,
            on=str(word),
            context=where.context or target.get("context"),
            namespace=where.namespace or target.get("namespace"),
        )
    )


def _unasked(where: Where) -> Target:
    """The one cluster of the context, else the one warm head, else a head of its own."""
    clusters = _clusters(where)
    if len(clusters) == 1:
        place = clusters[0].where
        return OnKubernetes(clusters[0], f"running on {place} (the one cluster of the context)")
    if clusters:
        raise UsageError(
            f"{len(clusters)} clusters could be meant",
            evidence=[each.where for each in clusters],
            next="choose one with --on NAME; --on local runs on this machine",
        )
    heads = warm.running()
    if len(heads) > 1:
        names = ", ".join(head.name for head in heads)
        raise UsageError(f"several local heads run: {names}", next="choose one with --on NAME")
    if heads:
        name = heads[0].name
        return WarmLocal(heads[0], f"running on the warm local head {name} (it is up)")
    why = "no raykit cluster in the context" if _has_context(where) else "no Kubernetes context"
    return OwnHead(f"running on a local Ray head of its own ({why})")


def _local(where: Where) -> Target:
    """`local` means the warm head of that name where it is up, else a head of its own."""
    head = warm.find(warm.DEFAULT_NAME)
    if head:
        return WarmLocal(head, f"running on the warm local head ({where.source} local)")
    return OwnHead(f"running on a local Ray head of its own ({where.source} local)")


def _named(where: Where, word: str) -> Target:
    head = None if where.context or where.namespace else warm.find(word)
    clusters = _clusters(where, word)
    meant = [*([f"the local head {word}"] if head else []), *(each.where for each in clusters)]
    if len(meant) > 1:
        raise UsageError(
            f"{where.source} {word} names several",
            evidence=meant,
            next="say which with --context and --namespace",
        )
    if head:
        return WarmLocal(head, f"running on the local head {word} ({where.source})")
    if clusters:
        return OnKubernetes(clusters[0], f"running on {clusters[0].where} ({where.source})")
    known = [each.where for each in _clusters(where)]
    known += [f"local head {each.name}" for each in warm.running()]
    raise MissingError(
        f"{where.source} {word}: there is no cluster and no local head of that name",
        evidence=[f"there is {each}" for each in known],
        next=f"raykit up -f SPEC --name {word}; or --on local, or --on http://{word}:8265",
    )


def _has_context(where: Where) -> bool:
    return bool(where.context) or kubeconfig.has_context()


def _clusters(where: Where, name: str | None = None) -> list[Cluster]:
    """raykit's clusters in the context; none where there is no context or no KubeRay."""
    if not _has_context(where):
        return []
    from raykit.kube.connection import connect
    from raykit.kuberay import operator, raycluster

    connection = connect(where.context)
    if not operator.is_served(connection):
        return []
    return raycluster.find(connection, name, where.namespace)
