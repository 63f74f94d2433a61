"""`raykit render` into folders: one file an object, a kustomization, and what has drifted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from raykit import kit
from raykit.containers import image as own_image
from raykit.errors import ConflictError, MissingError
from raykit.files import replacing
from raykit.kube.connection import DEFAULT_NAMESPACE
from raykit.manifests.render import render, to_yaml
from raykit.objects import Object, ray_cluster_of
from raykit.spec import load
from raykit.spec.model import ClusterSpec
from raykit.spec.rules import jobs

KUSTOMIZATION = "kustomization.yaml"
_NOTE = "# Rendered from {source} by `{command}`: change that file, not this.\n"
_IS_NOTE = re.compile(rb"# Rendered from [^\n]* by `(raykit|make) render`: change that file, not ")
_LISTED = re.compile(rb"^[ \t]*- ([a-z0-9][a-z0-9.-]*\.yaml)[ \t]*$", re.MULTILINE)
_HASH = re.compile(r"-[0-9a-f]{8}$")
_KIND = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_BASE = f"""# Where `raykit up` puts it. First: kubectl create namespace {DEFAULT_NAMESPACE}
# An overlay may name another namespace.
{_KIND}namespace: {DEFAULT_NAMESPACE}
"""


@dataclass(frozen=True)
class Folder:
    """A folder, and the rendered content of its files by name.

    A file that does not begin with raykit's own first line is someone else's: raykit never
    overwrites or removes it. What it removes, its kustomization also lists: a copy does not.
    """

    path: Path
    files: dict[str, bytes]

    def drifted(self) -> list[Path]:
        """Files that are missing or differ from the rendered content."""
        paths = {self.path / name: data for name, data in self.files.items()}
        return [path for path, data in paths.items() if _data(path) != data]

    def stale(self) -> list[Path]:
        """Files that raykit rendered once and would not render now."""
        kustomization = self.path / KUSTOMIZATION
        if not _is_raykits(kustomization):
            return []
        listed = [match.decode() for match in _LISTED.findall(_data(kustomization) or b"")]
        once = [path for path in (self.path / name for name in listed) if _is_raykits(path)]
        return [path for path in (*once, kustomization) if path.name not in self.files]

    def write(self) -> tuple[list[Path], list[Path]]:
        """Write drifted files and remove stale ones; return both lists.

        Errors: ConflictError (8) if a file of someone else is in the way; then nothing is changed.
        MissingError (4) if a file cannot be written.
        """
        drifted, stale = self.drifted(), self.stale()
        foreign = [str(path) for path in drifted if path.exists() and not _is_raykits(path)]
        if foreign:
            raise ConflictError(
                f"files in {self.path} are in the way and are not raykit's",
                evidence=foreign,
                next="move them away, or name another folder",
            )
        for path in drifted:
            if path.name != KUSTOMIZATION:
                _write(path, self.files[path.name])
        for path in stale:
            path.unlink(missing_ok=True)
        # The list of files comes last: interrupted, the next command still knows what is stale.
        if self.path / KUSTOMIZATION in drifted:
            _write(self.path / KUSTOMIZATION, self.files[KUSTOMIZATION])
        return drifted, stale

    def diff(self) -> str:
        """A unified diff from the files on disk to the rendered ones; empty if they are equal."""
        changes = [_diff(path, self.files[path.name]) for path in self.drifted()]
        return "".join([*changes, *(_diff(path, None) for path in self.stale())])


def folder(path: Path, spec: Path, objects: Sequence[Object]) -> Folder:
    """The folder that `raykit render --output-dir` writes for a spec's objects.

    spec: the file that they come from; only its name without the folder is written.
    """
    note = _NOTE.format(source=_shown(spec.name), command="raykit render")
    return Folder(path, _files(objects, note, _KIND))


def require_jobs(spec: ClusterSpec) -> None:
    """Errors: SpecError (3) for a job that raykit's own image, which the spec uses, lacks."""
    unknown = list(jobs.unknown(spec, kit.jobs()))
    if unknown:
        raise load.error(unknown, spec.name, "raykit submit --help lists raykit's jobs")


def write(clusters: Path, base: Path, image: str | None = None) -> list[Path]:
    """Render every spec of a folder, each into a folder of its own; return the changed files.

    image: for specs that name none; None: raykit's own image of the current files.

    Errors: SpecError (3); ConflictError (8) and MissingError (4) as `Folder.write`.
    """
    folders = rendered(clusters, base, image)
    return [path for folder in folders for changed in folder.write() for path in changed]


def check(clusters: Path, base: Path, image: str | None = None) -> None:
    """Errors: ConflictError (8) with a unified diff if files differ from what specs render to."""
    diff = "".join(folder.diff() for folder in rendered(clusters, base, image))
    if diff:
        what = f"{base} is not what {clusters} renders to"
        raise ConflictError(what, evidence=diff.splitlines(), next="make render")


def rendered(clusters: Path, base: Path, image: str | None = None) -> list[Folder]:
    """The folders of a base with their rendered files; without files if their spec was removed.

    Errors: SpecError (3) for the first invalid spec.
    """
    image = image or own_image.reference()
    present = {path.name: Folder(path, {}) for path in sorted(base.glob("*")) if path.is_dir()}
    wanted = {}
    for path in sorted(clusters.glob("*.yaml")):
        note = _NOTE.format(source=f"deploy/clusters/{path.name}", command="make render")
        spec = load.load_file(path)
        require_jobs(spec)
        objects = render(spec, image=image)
        wanted[path.stem] = Folder(base / path.stem, _files(objects, note, _BASE))
    return list({**present, **wanted}.values())


def _files(objects: Sequence[Object], note: str, kustomization: str) -> dict[str, bytes]:
    cluster = ray_cluster_of(objects)
    name = str(cluster["metadata"]["name"])
    texts = {_file_name(item, name): to_yaml([item]) for item in objects}
    resources = "".join(f"- {file}\n" for file in texts)
    texts[KUSTOMIZATION] = f"{kustomization}resources:\n{resources}"
    return {file: (note + text).encode() for file, text in texts.items()}


def _file_name(item: Object, cluster: str) -> str:
    """The kind and the name, without the cluster's name and a RayJob's hash of its content."""
    kind, name = item["kind"], str(item["metadata"]["name"])
    if kind == "RayJob":
        name = _HASH.sub("", name)
    own = name.removeprefix(cluster).removeprefix("-")
    return f"{kind}-{own}.yaml".lower() if own else f"{kind}.yaml".lower()


def _diff(path: Path, wanted: bytes | None) -> str:
    """One file's part of a unified diff. wanted: None: the file should not exist."""
    present = _data(path)
    sides = [(b"" if data is None else data) for data in (present, wanted)]
    old, new = ("/dev/null" if data is None else str(path) for data in (present, wanted))
    before, after = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in sides)
    return "".join(_whole_lines(difflib.unified_diff(before, after, old, new)))


def _whole_lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _is_raykits(path: Path) -> bool:
    return path.is_file() and _IS_NOTE.match(_data(path) or b"") is not None


def _data(path: Path) -> bytes | None:
    """A file's bytes; None if it does not exist. Errors: MissingError (4) if it is unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, "read", error) from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, path.with_name(f".{path.name}.new")) as out:
            out.write(data)
    except OSError as error:
        raise _unusable(path, "written", error) from error


def _unusable(path: Path, done: str, error: OSError) -> MissingError:
    if isinstance(error, NotADirectoryError | FileExistsError):
        return MissingError(f"{path.parent} is no folder", next="name a folder")
    return MissingError(
        f"{path} cannot be {done}",
        evidence=[error.strerror or str(error)],
        next="free space, change its permissions, or name another folder",
    )


def _shown(name: str) -> str:
    """A file's name that fits into one line of a comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
