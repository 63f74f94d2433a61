"""Push raykit's own image to a registry."""

from __future__ import annotations

import re
import shlex

from raykit import processes
from raykit.containers import docker
from raykit.errors import KubernetesError, MissingError, UsageError
from raykit.progress import Progress
from raykit.spec.rules import images

PUSH_SECONDS = 3600.0
DOCKER_HUB = "docker.io"
"""The registry of names without one."""

DENIED = ("denied", "unauthorized", "authentication required", "no basic auth", "forbidden")


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
