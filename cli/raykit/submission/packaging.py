"""A folder as a package that Ray unpacks beside the driver: sized and checked before upload.

The same content gives the same package, byte for byte, so that it is sent once. `.gitignore` and
`.rayignore` are honoured in every folder; version control, virtual environments and caches are
left out always.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import httpx2
import pathspec

from raykit.errors import UsageError
from raykit.submission.transport import LostConnectionError, Transport

LIMIT_BYTES = 100 * 1024**2
"""What Ray's dashboard accepts in one request (DASHBOARD_CLIENT_MAX_SIZE, Ray 2.60)."""
LARGEST_SHOWN = 10
LEFT_OUT = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".tox",
        ".nox",
        "node_modules",
    }
)
IGNORE_FILES = (".gitignore", ".rayignore")
EPOCH = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 20
ATTEMPTS, SEND_SECONDS = 5, 600.0


@dataclass(frozen=True)
class Member:
    """One file of a package: its path below the folder, where it lies, and its size in bytes."""

    path: str
    source: Path
    size: int
    executable: bool


@dataclass(frozen=True)
class Package:
    """A packed folder. uri: the name by which Ray finds it; the archive is a temporary file."""

    uri: str
    archive: IO[bytes]
    size: int
    members: tuple[Member, ...]


def collect(folder: Path, excludes: Sequence[str] = ()) -> list[Member]:
    """The files of a folder that belong into its package, sorted by path.

    Errors: UsageError (2) naming every file that cannot be packed: loops of links, sockets,
    devices, unreadable files.
    """
    problems: list[str] = []
    given = [("", pathspec.GitIgnoreSpec.from_lines(excludes))] if excludes else []
    found = _walk(folder, "", given, (folder.resolve(),), problems)
    members = sorted(found, key=lambda member: member.path)
    if problems:
        raise UsageError(
            f"{folder} cannot be packed",
            evidence=problems,
            next="mend these, or name them in a .rayignore",
        )
    return members


def pack(folder: Path, *, excludes: Sequence[str] = (), top: str = "") -> Package:
    """Pack a folder into a temporary archive.

    excludes: patterns as in .gitignore. top: the folder's name inside the archive, as Ray wants
    it for a Python module; without it the archive holds the folder's content.

    Errors: UsageError (2) with the ten largest files, where Ray would not accept it.
    """
    members = collect(folder, excludes)
    if top:
        members = [replace(member, path=f"{top}/{member.path}") for member in members]
    archive = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the package)
    try:
        _fill(archive, folder, members)
    except BaseException:
        archive.close()
        raise
    size = archive.tell()
    archive.seek(0)
    digest = hashlib.file_digest(archive, "sha256").hexdigest()[:40]
    return Package(f"gcs://_ray_pkg_{digest}.zip", archive, size, tuple(members))


def upload(transport: Transport, package: Package, on_bytes: Callable[[int, int], None]) -> bool:
    """Send a package unless the head has it; whether it was sent. on_bytes(sent, of).

    Where the connection breaks it is sent again: the same name always has the same content.
    """
    address = f"api/packages/gcs/{package.uri.removeprefix('gcs://')}"
    for attempt in range(ATTEMPTS):
        if transport.get(address).status_code == httpx2.codes.OK:
            return attempt > 0
        try:
            response = transport.request(
                "PUT", address, content=_chunks(package, on_bytes), timeout=SEND_SECONDS
            )
        except LostConnectionError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        if response.status_code != httpx2.codes.OK:
            raise transport.refusal(response)
        break
    return True


def _walk(
    folder: Path,
    prefix: str,
    inherited: Sequence[tuple[str, pathspec.GitIgnoreSpec]],
    above: tuple[Path, ...],
    problems: list[str],
) -> Iterator[Member]:
    ignores = [*inherited, *_ignores(folder, prefix)]
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(f"{prefix or '.'}: {error.strerror}")
        return
    for entry in entries:
        path = prefix + entry.name
        try:
            found = entry.stat()
        except OSError as error:
            if not _ignored(path, ignores):
                problems.append(f"{path}: {error.strerror}")
            continue
        is_folder = stat.S_ISDIR(found.st_mode)
        if entry.name in LEFT_OUT or _ignored(path + "/" * is_folder, ignores):
            continue
        if is_folder:
            yield from _below(Path(entry.path), path, ignores, above, problems)
        else:
            yield from _file(Path(entry.path), path, found, problems)


def _below(
    folder: Path,
    path: str,
    ignores: Sequence[tuple[str, pathspec.GitIgnoreSpec]],
    above: tuple[Path, ...],
    problems: list[str],
) -> Iterator[Member]:
    if (folder / "pyvenv.cfg").is_file():
        return
    real = folder.resolve()
    if real in above:
        problems.append(f"{path}: a link to a folder above it")
        return
    yield from _walk(folder, path + "/", ignores, (*above, real), problems)


def _file(source: Path, path: str, found: os.stat_result, problems: list[str]) -> Iterator[Member]:
    if not stat.S_ISREG(found.st_mode):
        problems.append(f"{path}: neither a file nor a folder")
    elif not os.access(source, os.R_OK):
        problems.append(f"{path}: not readable")
    else:
        yield Member(path, source, found.st_size, bool(found.st_mode & stat.S_IXUSR))


def _ignores(folder: Path, prefix: str) -> Iterator[tuple[str, pathspec.GitIgnoreSpec]]:
    for name in IGNORE_FILES:
        try:
            lines = (folder / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        yield prefix, pathspec.GitIgnoreSpec.from_lines(lines)


def _ignored(path: str, ignores: Sequence[tuple[str, pathspec.GitIgnoreSpec]]) -> bool:
    """The last file that says anything about a path decides, as in git."""
    ignored = False
    for prefix, spec in ignores:
        said = spec.check_file(path.removeprefix(prefix)).include
        ignored = ignored if said is None else said
    return ignored


def _fill(archive: IO[bytes], folder: Path, members: Sequence[Member]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for member in members:
            _add(packed, member)
            if archive.tell() > LIMIT_BYTES:
                raise _too_big(folder, members)


def _add(packed: zipfile.ZipFile, member: Member) -> None:
    info = zipfile.ZipInfo(member.path, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o755 if member.executable else 0o644) << 16
    with member.source.open("rb") as source, packed.open(info, "w") as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)


def _too_big(folder: Path, members: Sequence[Member]) -> UsageError:
    largest = sorted(members, key=lambda member: -member.size)[:LARGEST_SHOWN]
    total = sum(member.size for member in members)
    return UsageError(
        f"{folder} is too big to upload: over {LIMIT_BYTES >> 20} MiB packed,"
        f" {total / 1024**2:.0f} MiB in {len(members)} files",
        evidence=[f"{member.size / 1024**2:8.1f} MiB  {member.path}" for member in largest],
        next="name what the job does not need in a .rayignore, or choose --working-dir",
    )


def _chunks(package: Package, on_bytes: Callable[[int, int], None]) -> Iterator[bytes]:
    package.archive.seek(0)
    sent = 0
    while chunk := package.archive.read(CHUNK):
        yield chunk
        sent += len(chunk)
        on_bytes(sent, package.size)
