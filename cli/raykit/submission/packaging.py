"""Packs a folder for upload; Ray unpacks it beside the driver. Size and names are checked first.

Equal content gives the same package, byte for byte, so that it is uploaded once. `.gitignore` and
`.rayignore` work in every folder. Version control, virtual environments, caches and run records
are always left out; the script that runs is always packed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import httpx2
import pathspec

from raykit.errors import MissingError, UsageError
from raykit.measure.records import RECORD
from raykit.submission.answers import LostConnectionError
from raykit.submission.transport import Transport
from raykit.submission.variables import shown

LIMIT_BYTES = 100 * 1024**2
"""The largest request that Ray's dashboard accepts (DASHBOARD_CLIENT_MAX_SIZE, Ray 2.60)."""
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
DEEPEST = 100
EPOCH = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 20
ATTEMPTS, SEND_SECONDS = 5, 600.0


@dataclass(frozen=True)
class Member:
    """One file of a package. path: below the folder; source: on this machine; size: in bytes."""

    path: str
    source: Path
    size: int
    executable: bool


@dataclass(frozen=True)
class Package:
    """A packed folder. uri: Ray's name for it; archive: a temporary file; size: in bytes."""

    uri: str
    archive: IO[bytes]
    size: int
    members: tuple[Member, ...]


def collect(folder: Path, excludes: Sequence[str] = (), script: str | None = None) -> list[Member]:
    """The files of a folder that belong in its package, sorted by path.

    excludes: patterns as in .gitignore. script: the path of the file that the job runs; it is
    packed whatever the patterns say.

    Errors: UsageError (2) with every file that cannot be packed (loops of links, sockets, devices,
    unreadable files, names that are not UTF-8) and every invalid pattern.
    """
    problems: list[str] = []
    ignores = [("", spec) for spec in _patterns(excludes, "excludes", problems)] if excludes else []
    members = list(_walk(folder, "", ignores, (folder.resolve(),), problems))
    if script is not None and all(member.path != script for member in members):
        source = folder / script
        members += _file(source, script, source.stat(), problems)
    if problems:
        raise UsageError(
            f"{folder} cannot be packed",
            evidence=problems,
            next="correct these, or name them in a .rayignore",
        )
    return sorted(members, key=lambda member: member.path)


def pack(folder: Path, members: Sequence[Member], *, top: str = "") -> Package:
    """Pack the members of a folder into a temporary archive.

    top: the folder's name inside the archive, which Ray needs for a Python module; without it the
    archive holds only the folder's content.

    Errors: UsageError (2) if the package is larger than Ray accepts, with its ten largest files, or
    if a file cannot be read; MissingError (4) if the disk has no room for the archive.
    """
    if top:
        members = [replace(member, path=f"{top}/{member.path}") for member in members]
    try:
        archive = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the package)
        try:
            _fill(archive, folder, members)
        except BaseException:
            # Closing writes the buffer, which a full disk refuses a second time.
            with contextlib.suppress(OSError):
                archive.close()
            raise
    except OSError as error:
        raise MissingError(
            f"{folder} cannot be packed: the disk has no room for the archive",
            evidence=[error.strerror or str(error)],
            next="free space, or set TMPDIR to another folder",
        ) from error
    size = archive.tell()
    archive.seek(0)
    digest = hashlib.file_digest(archive, "sha256").hexdigest()[:40]
    return Package(f"gcs://_ray_pkg_{digest}.zip", archive, size, tuple(members))


def upload(transport: Transport, package: Package, on_bytes: Callable[[int, int], None]) -> bool:
    """Upload a package unless the head has it; return whether it was uploaded.

    on_bytes: gets the bytes sent and the package's size. If the connection breaks, the package is
    sent again: the same name always has the same content.

    Errors: JobsApiError (6) if the head refuses it, or the connection breaks five times.
    """
    for attempt in range(ATTEMPTS):
        if is_there(transport, package):
            return attempt > 0
        try:
            response = transport.request(
                "PUT",
                _address(name_of(package)),
                content=_chunks(package, on_bytes),
                timeout=SEND_SECONDS,
            )
        except LostConnectionError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        if response.status_code != httpx2.codes.OK:
            raise transport.refusal(response)
        break
    return True


def is_there(transport: Transport, package: Package) -> bool:
    """Whether the head has a package. Errors: LostConnectionError (6)."""
    return has(transport, name_of(package))


def has(transport: Transport, name: str) -> bool:
    """Whether the head has a package of this name. Errors: LostConnectionError (6)."""
    return transport.get(_address(name)).status_code == httpx2.codes.OK


def _address(name: str) -> str:
    return f"api/packages/gcs/{name}"


def name_of(package: Package) -> str:
    """Ray's name for a package, by which the head is asked for it."""
    return package.uri.removeprefix("gcs://")


def _walk(
    folder: Path,
    prefix: str,
    inherited: Sequence[tuple[str, pathspec.GitIgnoreSpec]],
    above: tuple[Path, ...],
    problems: list[str],
) -> Iterator[Member]:
    ignores = [*inherited, *_ignores(folder, prefix, problems)]
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(f"{shown(prefix) or '.'}: {error.strerror}")
        return
    for entry in entries:
        path = prefix + entry.name
        try:
            status = entry.stat()
        except OSError as error:
            was_removed = isinstance(error, FileNotFoundError) and not entry.is_symlink()
            if not was_removed and not _ignored(path, ignores):
                problems.append(f"{shown(path)}: {error.strerror}")
            continue
        is_folder = stat.S_ISDIR(status.st_mode)
        if entry.name in LEFT_OUT or _ignored(path + "/" * is_folder, ignores):
            continue
        if is_folder:
            yield from _below(Path(entry.path), path, ignores, above, problems)
        else:
            yield from _file(Path(entry.path), path, status, problems)


def _below(
    folder: Path,
    path: str,
    ignores: Sequence[tuple[str, pathspec.GitIgnoreSpec]],
    above: tuple[Path, ...],
    problems: list[str],
) -> Iterator[Member]:
    try:
        if (folder / "pyvenv.cfg").is_file() or _is_run(folder):
            return
        real = folder.resolve()
    except OSError as error:
        problems.append(f"{shown(path)}: {error.strerror}")
        return
    if real in above:
        problems.append(f"{shown(path)}: a link to a folder above it")
        return
    if len(above) > DEEPEST:
        problems.append(f"{shown(path)}: more than {DEEPEST} folders deep")
        return
    yield from _walk(folder, path + "/", ignores, (*above, real), problems)


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's record. Such folders grow with every submission."""
    record = folder / RECORD
    try:
        with record.open("rb") if record.is_file() else contextlib.nullcontext() as stream:
            beginning = stream.read(CHUNK >> 8) if stream else b""
    except OSError:
        return False
    return b'"schema"' in beginning and b'"submission_id"' in beginning


def _file(source: Path, path: str, status: os.stat_result, problems: list[str]) -> Iterator[Member]:
    if not stat.S_ISREG(status.st_mode):
        problems.append(f"{shown(path)}: neither a file nor a folder")
    elif shown(path) != path:
        problems.append(f"{shown(path)}: its name is not UTF-8")
    elif not os.access(source, os.R_OK):
        problems.append(f"{path}: not readable")
    else:
        yield Member(path, source, status.st_size, bool(status.st_mode & stat.S_IXUSR))


def _ignores(
    folder: Path, prefix: str, problems: list[str]
) -> Iterator[tuple[str, pathspec.GitIgnoreSpec]]:
    for name in IGNORE_FILES:
        if not (folder / name).is_file():
            continue
        try:
            lines = (folder / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for spec in _patterns(lines, shown(prefix) + name, problems):
            yield prefix, spec


def _patterns(
    lines: Iterable[str], source: str, problems: list[str]
) -> Iterator[pathspec.GitIgnoreSpec]:
    """The patterns as one specification; a pattern that pathspec cannot read is a problem."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pathspec warns about unusual character classes
        try:
            yield pathspec.GitIgnoreSpec.from_lines(lines)
        except (ValueError, re.error) as error:
            problems.append(f"{source}: {error}")


def _ignored(path: str, ignores: Sequence[tuple[str, pathspec.GitIgnoreSpec]]) -> bool:
    """Whether a path is ignored. As in git, the last file with a matching pattern decides."""
    ignored = False
    for prefix, spec in ignores:
        match = spec.check_file(path.removeprefix(prefix)).include
        ignored = ignored if match is None else match
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
    info.file_size = member.size  # zipfile needs another header for files beyond 2 GiB
    try:
        source = member.source.open("rb")
    except FileNotFoundError:
        return  # somebody removed the file after the folder was read
    except OSError as error:
        raise UsageError(
            f"{member.source} cannot be read",
            evidence=[error.strerror or str(error)],
            next="make it readable, or name it in a .rayignore",
        ) from error
    with source, packed.open(info, "w") as target:
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
