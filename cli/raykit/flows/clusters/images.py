"""`raykit image check` and `raykit image push`: whether an image fits, and a registry for ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raykit import checks
from raykit.checks import Check
from raykit.containers import docker, image, registry
from raykit.containers import platforms as builds
from raykit.containers.checks import contents
from raykit.errors import ConflictError, RaykitError, UsageError
from raykit.kube.connection import connect
from raykit.kuberay.checks import short_pod
from raykit.progress import Progress
from raykit.spec import load
from raykit.spec.model import ClusterSpec
from raykit.spec.rules import images as references
from raykit.versions import RAY

IMAGE_LINE = re.compile(
    r"""(?m)^image:[ \t]*(?:'[^'\r\n]*'|"[^"\r\n]*"|[^\s#'"]\S*)?([ \t]+#[^\r\n]*)?[ \t]*(?=\r?$)"""
)
"""The line `image:` of a spec, and its comment."""
NAME_LINE = re.compile(r"(?m)^name:[^\r\n]*(\r?)$")


@dataclass(frozen=True)
class Wanted:
    """An image to check. ray: the version that it must have. pull_secrets: for a cluster."""

    name: str
    ray: str = RAY
    pull_secrets: Sequence[str] = ()


@dataclass(frozen=True)
class Pushed:
    """An image in a registry, with its digest. spec: the file that names it now, if any."""

    image: str
    source: str
    spec: Path | None = None

    def as_dict(self) -> dict[str, str | None]:
        spec = str(self.spec) if self.spec else None
        return {"image": self.image, "source": self.source, "spec": spec}


def wanted(name: str | None, spec: ClusterSpec | None) -> Wanted:
    """The image that the user names, else the spec's, else raykit's own.

    Errors: UsageError (2) if `name` is no image reference.
    """
    if name:
        try:
            references.reference(name)
        except ValueError as wrong:
            raise UsageError(str(wrong), next="raykit image check REGISTRY/NAME:TAG") from wrong
    chosen = name or (spec.image if spec else None) or image.reference()
    if spec is None:
        return Wanted(chosen)
    return Wanted(chosen, spec.ray_version, tuple(spec.pull_secrets))


def check_here(asked: Wanted) -> list[Check]:
    """The checks of an image, run by docker.

    Errors: MissingError (4) if docker or the image is absent, or if nothing runs in it.
    """
    inside, user = contents.by_docker(asked.name)
    return [*contents.judge(asked.name, inside, asked.ray), contents.user(asked.name, user)]


def check_for_doctor(spec: ClusterSpec) -> list[Check]:
    """The checks of a spec's image where docker has it; one that is skipped elsewhere."""
    try:
        return check_here(wanted(None, spec))
    except RaykitError as error:
        there = "or raykit image check -f SPEC --context CONTEXT, which runs a short pod"
        next = f"{error.next}; {there}" if error.next else there
        return [checks.skipped("image", f"not checked: {error.what}", error.evidence, next)]


def check_there(
    asked: Wanted, context: str | None, namespace: str | None, progress: Progress
) -> list[Check]:
    """The checks of an image, run in a short pod of a context; the pod is deleted.

    Errors: KubernetesError (5) with the reason if the pod does not start; MissingError (4) if the
    user may not create one, or if no shell runs in the image.
    """
    with connect(context) as connection:
        place = namespace or connection.namespace
        words = [contents.SHELL, "-c", contents.SCRIPT]
        pod = short_pod.manifest(asked.name, words, asked.pull_secrets)
        with progress.step("image-check", f"{asked.name} in namespace {place}"):
            output = short_pod.output(connection, place, pod, progress)
    if not contents.is_whole(output):
        raise contents.no_shell(asked.name, output.splitlines()[-5:])
    return contents.judge(asked.name, contents.parsed(output), asked.ray)


def push(
    repository: str, spec: Path | None, progress: Progress, platforms: Sequence[str] = ()
) -> Pushed:
    """Build raykit's own image if it must be, push it, and write its digest into a spec.

    spec: the file whose `image` becomes the pushed one; None: no file is changed. platforms: such
    as `linux/arm64`; none: the engine's own. The name then stands for all of them.
    Errors: UsageError (2) for a bad repository or platform, or a spec without a line for the image,
    SpecError (3) for the spec, MissingError (4) if docker cannot build for a platform,
    ConflictError (8) if the spec cannot be changed after the push; else as `registry.push`.
    """
    source = image.reference()
    to = registry.target(repository, source)
    chosen = builds.parse(platforms)
    if spec:
        _readable(spec)  # refused before the push, which is long
    with progress.step("image-build", "image built"):
        docker.engine()
        names = builds.build(source, chosen, progress)
    with progress.step("image-push", f"{to} pushed"):
        pushed = builds.push(names, to, progress)
    if spec:
        _write_image(spec, pushed)
    return Pushed(pushed, source, spec)


def _write_image(spec: Path, pushed: str) -> None:
    """Write the image into the spec, as it is now: it may have been edited during the push."""
    try:
        spec.write_text(with_image(_readable(spec), pushed, str(spec)), "utf-8")
    except (OSError, RaykitError) as error:
        raise ConflictError(
            f"{pushed} is in the registry, but {spec} could not be changed",
            evidence=[str(error)],
            next=f"write there: image: {pushed}",
        ) from error


def with_image(text: str, name: str, path: str) -> str:
    """The text of a spec with another image; all else stays as it is, the line's comment too.

    Errors: UsageError (2) if the spec's `image` is not on a line of its own.
    """
    line = f"image: {name}"
    changed, count = IMAGE_LINE.subn(lambda old: line + (old[1] or ""), text, count=1)
    if not count:
        changed = NAME_LINE.sub(lambda old: f"{old[0]}\n{line}{old[1]}", text, count=1)
    if load.load(changed, path).image != name:
        raise UsageError(f"{path} has no line `image:` to write to", next=f"write there: {line}")
    return changed


def _readable(spec: Path) -> str:
    """The text of a valid spec in which the image can be replaced."""
    load.load_file(spec)
    text = spec.read_bytes().decode("utf-8")
    with_image(text, "example.com/raykit:1", str(spec))
    return text
