"""raykit's own image, Ray with the jobs: its tag holds a hash of its contents."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from raykit import kit, locks, processes
from raykit.containers import docker
from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.progress import Progress
from raykit.spec.rules import images

REPOSITORY = "raykit"
HASH_LENGTH = 12
BUILD_TIMEOUT_SECONDS = 3600.0
LOAD_TIMEOUT_SECONDS = 900.0
SUFFIXES = {"amd64": "", "arm64": "-aarch64"}
"""Suffix of the tag of Ray's public images, by architecture."""
CANNOT_RUN = "exec format error"
"""What a kernel says of a program of another architecture."""


def contents(root: Path) -> list[Path]:
    """The files of the image, relative to the kit's root, in a fixed order."""
    jobs = sorted(
        path.relative_to(root)
        for path in (root / "jobs").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return [Path("Dockerfile"), *jobs]


def reference(root: Path | None = None) -> str:
    """The reference of the image of these files: `raykit:2.60.0-py311-<hash of the contents>`.

    root: the folder with `Dockerfile` and `jobs/`; None: the kit's.
    Errors: MissingError (4) if the Dockerfile does not set the version of Ray.
    """
    root = root or kit.root()
    digest = hashlib.sha256()
    for path in contents(root):
        data = (root / path).read_bytes()
        digest.update(f"{path.as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return f"{REPOSITORY}:{_ray(root)}-{digest.hexdigest()[:HASH_LENGTH]}"


def is_own(image: str) -> bool:
    """Whether a reference names raykit's own image, which is in no registry."""
    return re.fullmatch(rf"(docker\.io/library/)?{REPOSITORY}:[\w.-]+", image) is not None


def has_jobs(image: str) -> bool:
    """Whether an image holds raykit's jobs: its own, also in a registry under its own tag."""
    tag = images.repository_and_tag(image)[1]
    return is_own(image) or (bool(tag) and tag == images.repository_and_tag(reference())[1])


def is_built(image: str) -> bool:
    """Whether the docker engine has the image."""
    return bool(docker.inspect("image", image))


def build(image: str, progress: Progress, architecture: str = "") -> str:
    """Build raykit's own image unless the engine has it; return its name in the engine.

    image: its reference. architecture: one that is not the engine's; the name then ends with it.
    Errors: ConflictError (8) if the files have changed and now make another reference, MissingError
    (4) if docker runs no programs of that architecture, KubernetesError (5) if the build fails
    otherwise or takes over an hour.
    """
    name = f"{image}-{architecture}" if architecture else image
    if is_built(name):
        return name
    progress.detail(f"docker build {name}")
    with locks.held(f"image-{name}", f"building {name}", wait=BUILD_TIMEOUT_SECONDS):
        if not is_built(name):
            _build(image, name, architecture)
    return name


def load(cluster: str, nodes: Sequence[str], image: str, progress: Progress) -> list[str]:
    """Load an image of the engine into nodes of a kind cluster; return the nodes that lacked it.

    Errors: MissingError (4) if the engine has no such image, KubernetesError (5) if `kind load`
    fails or takes over 15 minutes.
    """
    lacking = missing(nodes, image)
    if not lacking:
        return []
    if not is_built(image):
        raise MissingError(f"the docker engine has no image {image}", next="raykit image build")
    progress.detail(f"{image} into {', '.join(lacking)}")
    processes.run(
        ["kind", "load", "docker-image", image, "--name", cluster, "--nodes", ",".join(lacking)],
        timeout=LOAD_TIMEOUT_SECONDS,
        next=f"docker exec {lacking[0]} df -h /var   (is the disk full?)",
    )
    return lacking


def missing(nodes: Sequence[str], image: str) -> list[str]:
    """The kind nodes whose container runtime lacks the image."""
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        has = list(pool.map(lambda node: _node_has(node, image), nodes))
    return [node for node, there in zip(nodes, has, strict=True) if not there]


def _ray(root: Path) -> str:
    dockerfile = root / "Dockerfile"
    for line in dockerfile.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"ARG RAY=(\S+)", line):
            return match.group(1)
    raise MissingError(f"{dockerfile} names no Ray in a line `ARG RAY=…`")


def _build(image: str, name: str, architecture: str) -> None:
    platform = ["--platform", f"linux/{architecture}"] if architecture else []
    arguments = _arguments(architecture or docker.engine().architecture)
    with tempfile.TemporaryDirectory(prefix="raykit-build-") as folder:
        for path in contents(kit.root()):
            copy = Path(folder) / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kit.root() / path, copy)
        if reference(Path(folder)) != image:
            raise ConflictError(
                f"the files of {image} have changed meanwhile",
                evidence=[f"they make {reference(Path(folder))} now"],
                next="run the same command again",
            )
        done = docker.docker(
            "build",
            *("--tag", name, *platform, *arguments, folder),
            check=False,
            timeout=BUILD_TIMEOUT_SECONDS,
        )
    if done.returncode:
        raise _failed(done, architecture)


def _failed(done: processes.Completed, architecture: str) -> RaykitError:
    output = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    reason = next((line for line in output if CANNOT_RUN in line), None)
    if architecture and reason:
        return MissingError(
            f"the docker engine runs no programs of {architecture}, so it cannot build for it",
            evidence=[done.evidence()[0], reason],
            next=f"docker run --privileged --rm tonistiigi/binfmt --install {architecture}   (QEMU "
            "then runs them), or build on a machine of that architecture",
        )
    return KubernetesError(
        f"docker failed with exit status {done.returncode}",
        evidence=done.evidence(),
        next="docker pull the base image by hand to see why, or check the Dockerfile",
    )


def _arguments(architecture: str) -> list[str]:
    words = ["--build-arg", f"ARCH={SUFFIXES.get(architecture, '')}"]
    for name in ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        if name in os.environ:
            words += ["--build-arg", name]
    return words


def _node_has(node: str, image: str) -> bool:
    # crictl waits 2 s by default: on a busy machine that is too short, and raykit would reload it.
    words = ("crictl", "--timeout=30s", "inspecti", "-q", image)
    done = docker.docker("exec", node, *words, check=False)
    return done.returncode == 0
