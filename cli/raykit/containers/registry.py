"""Push raykit's own image to a registry; tell whether a registry can have an image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from raykit import processes
from raykit.containers import docker
from raykit.errors import KubernetesError, MissingError, RaykitError, UsageError
from raykit.progress import Progress
from raykit.spec.rules import images

PUSH_SECONDS, ASK_SECONDS = 3600.0, 15.0
DOCKER_HUB = "docker.io"
"""The registry of names without one."""

DENIED = ("denied", "unauthorized", "authentication required", "no basic auth", "forbidden")

ABSENT = ("no such manifest", "manifest unknown", "name unknown")
LOOPBACK = re.compile(r"(127\.[0-9.]+|localhost|\[::1\])(:[0-9]+)?")
"""Registries that docker asks over plain HTTP."""


def only_here(reference: str) -> bool:
    """Whether an image exists in this docker engine and in no registry.

    The engine keeps a digest for each repository to which an image was pushed or from which it was
    pulled. Without one, the registry is asked; if it does not answer or asks for a login, it may
    have the image. So it may where there is no docker.
    """
    repository, _ = images.repository_and_tag(_familiar(reference))
    if "@" in reference or not (found := _inspected(reference)):
        return False
    digests = [str(digest) for digest in found.get("RepoDigests") or []]
    if any(_familiar(digest).partition("@")[0] == repository for digest in digests):
        return False
    return is_official(repository) or _is_absent(reference)


def push_command(reference: str) -> str:
    """The command that brings an image of this docker engine to a registry."""
    if not is_official(images.repository_and_tag(reference)[0]):
        return shlex.join(["docker", "push", reference])
    to = f"REGISTRY/{_familiar(reference)}"
    return f"docker tag {reference} {to} && docker push {to}   (and name that in the spec)"


def is_official(repository: str) -> bool:
    """Whether a repository is one of Docker's own, to which nobody else can push: `python`."""
    return "/" not in _familiar(repository)


def _familiar(name: str) -> str:
    return name.removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def _inspected(reference: str) -> dict[str, Any]:
    """What docker knows of an image; empty if it has none, or if there is no docker."""
    try:
        return next(iter(docker.inspect("image", reference)), {})
    except RaykitError:
        return {}


def _is_absent(reference: str) -> bool:
    """Whether the image's registry says that it has no such image."""
    words = ["manifest", "inspect", *_plain(reference), reference]
    try:
        done = docker.docker(*words, check=False, timeout=ASK_SECONDS)
    except RaykitError:
        return False
    return done.returncode != 0 and any(word in done.stderr.lower() for word in ABSENT)


def target(repository: str, reference: str) -> str:
    """Where an image goes: the repository, with its own tag or else that of `reference`.

    Errors: UsageError (2) if `repository` is not `[HOST/]NAME[:TAG]`.
    """
    example = "raykit image push REGISTRY/raykit"
    if "@" in repository:
        raise UsageError(f"{repository} has a digest: the registry gives it", next=example)
    try:
        images.reference(repository)
    except ValueError as wrong:
        raise UsageError(str(wrong), next=example) from wrong
    name, tag = images.repository_and_tag(repository)
    return f"{name}:{tag or images.repository_and_tag(reference)[1]}"


def push(reference: str, to: str, progress: Progress) -> str:
    """Push an image of the docker engine; return it with its digest: `REPOSITORY:TAG@sha256:…`.

    Errors: MissingError (4) if the registry asks for a login, KubernetesError (5) if the push fails
    otherwise or takes over an hour.
    """
    docker.docker("tag", reference, to)
    progress.detail(f"docker push {to}")
    done = docker.docker("push", to, check=False, timeout=PUSH_SECONDS)
    if done.returncode:
        raise _failed(to, done)
    digests = re.findall(r"digest: (sha256:[0-9a-f]{64})", done.stdout)
    if not digests:
        raise KubernetesError(
            f"docker push of {to} did not say its digest",
            evidence=done.evidence(),
            next=f"docker image inspect {to} --format '{{{{.RepoDigests}}}}'",
        )
    return f"{to}@{digests[-1]}"


def join(names: Sequence[str], to: str) -> str:
    """Make a name in a registry stand for several images there; return the digest of their list.

    By buildx where docker has it, which also joins images with attestations, else by
    `docker manifest`. Errors: as `push`.
    """
    by_buildx = docker.docker("buildx", "version", check=False).returncode == 0
    done = _by_buildx(names, to) if by_buildx else _by_manifest(names, to)
    digest = re.search(r"sha256:[0-9a-f]{64}", done.stdout)
    if done.returncode or not digest:
        raise _failed(to, done)
    return digest[0]


def _by_buildx(names: Sequence[str], to: str) -> processes.Completed:
    words = ("buildx", "imagetools", "create", "--tag", to, *names)
    done = docker.docker(*words, check=False, timeout=PUSH_SECONDS)
    if done.returncode:
        return done
    words = ("buildx", "imagetools", "inspect", to, "--format", "{{.Manifest.Digest}}")
    return docker.docker(*words, check=False, timeout=PUSH_SECONDS)


def _by_manifest(names: Sequence[str], to: str) -> processes.Completed:
    plain = _plain(to)
    docker.docker("manifest", "rm", to, check=False)  # what an interrupted push has left
    words = ("manifest", "create", *plain, to, *names)
    done = docker.docker(*words, check=False, timeout=PUSH_SECONDS)
    if done.returncode:
        return done
    words = ("manifest", "push", "--purge", *plain, to)
    return docker.docker(*words, check=False, timeout=PUSH_SECONDS)


def _plain(reference: str) -> list[str]:
    """The option of `docker manifest` for a registry without TLS: one on loopback."""
    host, _ = images.domain_and_path(images.repository_and_tag(reference)[0])
    return ["--insecure"] if host and LOOPBACK.fullmatch(host) else []


def _failed(to: str, done: processes.Completed) -> MissingError | KubernetesError:
    registry, _ = images.domain_and_path(images.repository_and_tag(to)[0])
    said = done.stderr.lower()
    if any(word in said for word in DENIED):
        what = f"the registry does not take {to} from this user"
        login = shlex.join(["docker", "login", *([registry] if registry else [])])
        return MissingError(what, evidence=done.evidence(), next=f"{login}   (then push again)")
    what = f"{to} cannot be pushed"
    return KubernetesError(
        what, evidence=done.evidence(), next=f"is {registry or DOCKER_HUB} a registry?"
    )
