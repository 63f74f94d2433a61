"""Where a job runs: `--on`, else RAYKIT_ON, else a local head of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raykit.clusters import local, warm
from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, UsageError
from raykit.measure.records import RunRecord
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


class Target(Protocol):
    """A place to run jobs. `owned`: it lives for one submission, and a job ends with it."""

    @property
    def reason(self) -> str: ...

    @property
    def owned(self) -> bool: ...

    def open(self, progress: Progress) -> contextlib.AbstractContextManager[Endpoint]:
        """The endpoint to speak to while the block lasts."""


@dataclass(frozen=True)
class OwnHead:
    """A local head that lives for one submission."""

    reason: str
    owned: bool = True

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        with local.head(progress) as head:
            yield head.endpoint()


@dataclass(frozen=True)
class WarmLocal:
    """A local head that stays between submissions."""

    head: warm.WarmHead
    reason: str
    owned: bool = False

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        progress.detail(self.head.url)
        yield self.head.head().endpoint()


@dataclass(frozen=True)
class Address:
    """A Ray head at an address; its token comes from the environment or a file."""

    url: str
    reason: str
    environ: Mapping[str, str]
    owned: bool = False

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        bare = Endpoint(self.url, target={"kind": "url", "url": self.url})
        with progress.step("reach", f"Ray head at {self.url}"), Transport(bare) as transport:
            mode = JobsApi(transport).authentication_mode()
        # The token is sent only to a head that asks for one.
        token = find_token(self.environ) if mode == "token" else None
        yield bare if token is None else authorised(bare, token)


def authorised(endpoint: Endpoint, token: str) -> Endpoint:
    """The endpoint with a token that is sent along and never written."""
    return Endpoint(
        endpoint.url,
        headers={**endpoint.headers, "Authorization": f"Bearer {token}"},
        secrets=(*endpoint.secrets, token),
        target=endpoint.target,
        tls=endpoint.tls,
    )


def find_token(environ: Mapping[str, str]) -> str | None:
    """Ray's own order: RAY_AUTH_TOKEN, the file RAY_AUTH_TOKEN_PATH names, ~/.ray/auth_token."""
    if environ.get("RAY_AUTH_TOKEN"):
        return environ["RAY_AUTH_TOKEN"].strip()
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with contextlib.suppress(OSError):
        return path.read_text("utf-8").strip() or None
    return None


def choose(on: str | None, environ: Mapping[str, str]) -> Target:
    """The target and, in its `reason`, why it is this one.

    Errors: UsageError (2) where the word names nothing.
    """
    word, source = (on, "--on") if on else (environ.get("RAYKIT_ON"), "RAYKIT_ON")
    if not word:
        return _unasked()
    if word == "local":
        return _local(source)
    if word.startswith(("http://", "https://")):
        return Address(word.rstrip("/") + "/", f"running on {word} ({source})", environ)
    return _named(word, source)


def of_record(record: RunRecord, environ: Mapping[str, str]) -> Target:
    """Where a recorded run's job is, or was.

    Errors: JobsApiError (6) where its head has ended with it.
    """
    target = record.target
    if target.get("kind") == "url":
        return choose(str(target["url"]), environ)
    if target.get("cluster"):
        return choose(str(target["cluster"]), environ)
    raise JobsApiError(
        f"the run {record.id} had a local head of its own, which has ended",
        evidence=[f"status when last seen: {record.status}"],
        next=f"raykit runs show {record.id}",
    )


def _unasked() -> Target:
    heads = warm.running()
    if len(heads) > 1:
        names = ", ".join(head.name for head in heads)
        raise UsageError(f"several local heads run: {names}", next="choose one with --on NAME")
    if heads:
        name = heads[0].name
        return WarmLocal(heads[0], f"running on the warm local head {name} (it is up)")
    return OwnHead("running on a local Ray head of its own (no --on, no RAYKIT_ON)")


def _local(source: str) -> Target:
    """`local` means the warm head of that name where it is up, else a head of its own."""
    head = warm.find(warm.DEFAULT_NAME)
    if head:
        return WarmLocal(head, f"running on the warm local head ({source} local)")
    return OwnHead(f"running on a local Ray head of its own ({source} local)")


def _named(word: str, source: str) -> Target:
    head = warm.find(word)
    if head:
        return WarmLocal(head, f"running on the local head {word} ({source})")
    names = [head.name for head in warm.running()]
    raise UsageError(
        f"{source} {word}: no local head, cluster or address of that name",
        evidence=[f"local heads that run: {', '.join(names)}"] if names else [],
        next=f"raykit submit … --on local, or --on http://{word}:8265",
    )
