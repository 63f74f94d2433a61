"""raykit's own image for several architectures: built one by one, joined in a registry.

Each architecture has a base image of its own, so one build of all of them would not do.
"""

from __future__ import annotations

from collections.abc import Sequence

from raykit.containers import docker, image, registry
from raykit.errors import KubernetesError, UsageError
from raykit.progress import Progress

PLATFORMS = {f"linux/{architecture}": architecture for architecture in image.SUFFIXES}
"""The architecture of each platform for which Ray has images."""


def parse(words: Sequence[str]) -> list[str]:
    """The platforms of `--platform`, which may be repeated and may hold commas.

    Errors: UsageError (2) for a platform for which Ray has no image.
    """
    named = list(dict.fromkeys(name.strip() for word in words for name in word.split(",")))
    unknown = [name for name in named if name not in PLATFORMS]
    if unknown:
        raise UsageError(
            f"no platform of Ray's images: {', '.join(map(repr, unknown))}",
            next=f"--platform {','.join(PLATFORMS)}",
        )
    return named


def build(reference: str, platforms: Sequence[str], progress: Progress) -> list[str]:
    """Build the image for each platform, or for the engine's if none is named.

    Returns the image's name in the engine, for each platform.
    Errors: as `image.build`; KubernetesError (5) if an image is for another platform.
    """
    if not platforms:
        return [image.build(reference, progress)]
    own = docker.engine().architecture
    return [_build(reference, platform, own, progress) for platform in platforms]


def push(names: Sequence[str], to: str, progress: Progress) -> str:
    """Push images of the engine, one a platform, and the name that stands for all of them.

    Returns that name with its digest. Errors: as `registry.push`.
    """
    if len(names) == 1:
        return registry.push(names[0], to, progress)
    parts = [f"{to}-{_architecture(name)}" for name in names]
    for name, part in zip(names, parts, strict=True):
        registry.push(name, part, progress)
    progress.detail(f"{to} for {len(parts)} platforms")
    return f"{to}@{registry.join(parts, to)}"


def _build(reference: str, platform: str, own: str, progress: Progress) -> str:
    architecture = PLATFORMS[platform]
    if architecture == own:
        return image.build(reference, progress)
    name = image.build(reference, progress, architecture)
    # Docker's classic builder takes a base image that it has, of whatever architecture.
    if _architecture(name) != architecture:
        raise KubernetesError(
            f"docker built {name} for another architecture: {_architecture(name) or 'unknown'}",
            next=f"docker image rm {name}; is the base image in the engine of {architecture}?",
        )
    return name


def _architecture(name: str) -> str:
    """The architecture of an image of the engine; empty if it has none of the name."""
    found = docker.inspect("image", name)
    return str(found[0].get("Architecture", "")) if found else ""
