"""Keeps downloaded archives in a folder, such as a volume that several runs share.

    2020-<key>.tar.gz        the archive, byte for byte
    2020-<key>.tar.gz.json   its seal, written last: address, size, SHA-256, ETag, date

The key is a hash of the address and of the version that the source names there, so that two sources
or two versions never meet in one file. Writers of the same version write files of their own and
rename them: the last one wins, with the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from jobs.gsod.archive import DataProblem
from jobs.gsod.reading.read_ahead import Ahead, Stream
from jobs.gsod.sources.download import Download, RemoteArchive

PART = ".part"
OUR_PART = re.compile(r"\d{4}-[0-9a-f]+\.tar\.gz\.\w+\.part", re.ASCII)
"""Nobody else's: `raykit data fetch` has parts, too."""

MOST_SEAL_BYTES = 2**16
ABANDONED_SECONDS = 3600
"""A part that nobody has written to for so long was left by a process that was killed."""


class CachedArchive:
    """A remote archive, read from the folder if it has this version, else copied to it."""

    def __init__(self, remote: RemoteArchive, folder: Path) -> None:
        self.remote, self.folder, self.name = remote, folder, remote.name
        self._seal: dict[str, Any] | None = None
        self._part: Path | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a problem with the data should say beside itself."""
        if self._seal is None:
            return self.remote.remarks
        return (f"it was read from {self._path}: delete that file and its .json to fetch it again",)

    @property
    def origin(self) -> dict[str, Any]:
        """The source, and whether the bytes came from the folder."""
        return {**self.remote.origin, "cached": self._seal is not None}

    @contextmanager
    def open(self, *_: object) -> Iterator[Stream]:
        """The bytes: of the sealed file, or of the source while they are copied.

        Raises DataProblem.
        """
        self.remote.ask(head=True)
        if self._seal is None and self._part is None:
            self._check_source()
            self._make_folder()
            self._seal = self._read_seal()
        if self._seal:
            with _opened(self._path) as sealed:
                yield sealed
        elif self._part:
            with self.remote.open() as stream:
                yield stream
        else:
            with self._copying() as file, Ahead(Copying(Download(self.remote), file, self)) as both:
                yield both

    def finish(self, sha256: str) -> None:
        """Seal the copy after a whole reading, or compare the hash with the seal.

        Raises DataProblem if the file in the folder is not what was sealed.
        """
        if self._seal is None:
            return self._keep(sha256)
        if self._seal["sha256"] != sha256:
            raise DataProblem(f"{self._path} is damaged: its SHA-256 is not its seal's")
        return None

    def discard(self) -> None:
        """Delete a copy that was not sealed."""
        if self._part:
            self._part.unlink(missing_ok=True)

    def refused(self, error: OSError) -> DataProblem:
        return DataProblem(
            f"the cache {self.folder} cannot be used on this Ray node",
            error.strerror or str(error),
            "free space, name another folder, or leave --cache out",
        )

    @property
    def _path(self) -> Path:
        identity = self.remote.identity
        source = json.dumps([self.remote.origin["address"], identity and identity.version])
        key = hashlib.sha256(source.encode()).hexdigest()[:16]
        return self.folder / f"{self.name.removesuffix('.tar.gz')}-{key}.tar.gz"

    @property
    def _seal_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.json")

    def _check_source(self) -> None:
        identity = self.remote.identity
        if identity and not identity.etag and not identity.modified:
            raise DataProblem(
                f"{self.name} cannot be cached: its source names no version of it",
                "neither an ETag nor a date comes with it: leave --cache out",
            )

    def _read_seal(self) -> dict[str, Any] | None:
        """The seal of a file with the size that it names; None without a seal."""
        try:
            with _opened(self._seal_path) as file:
                seal: Any = json.loads(file.read(MOST_SEAL_BYTES))
            with _opened(self._path) as file:
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise DataProblem(f"{self._seal_path} cannot be read", str(error)) from error
        known = isinstance(seal, dict) and {"size", "sha256"} <= seal.keys()
        if not known or seal["size"] != size:
            raise DataProblem(
                f"{self._path} is damaged: it has {size:,} bytes, its seal says otherwise",
                "delete that file and its .json to fetch it again",
            )
        return dict(seal)

    @contextmanager
    def _copying(self) -> Iterator[IO[bytes]]:
        try:
            descriptor, self._part = self._new_part()
        except OSError as error:
            raise self.refused(error) from error
        with os.fdopen(descriptor, "wb", 0) as file:
            yield file

    def _new_part(self) -> tuple[int, Path]:
        """A new file that nobody else made, which other users of the folder may read."""
        descriptor, name = tempfile.mkstemp(PART, f"{self._path.name}.", self.folder)
        os.fchmod(descriptor, 0o644)
        return descriptor, Path(name)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.refused(error) from error
        self._delete_abandoned()

    def _delete_abandoned(self) -> None:
        for part in self.folder.glob(f"*{PART}"):
            with contextlib.suppress(OSError):
                if (
                    OUR_PART.fullmatch(part.name)
                    and time.time() - part.stat().st_mtime > ABANDONED_SECONDS
                ):
                    part.unlink()

    def _keep(self, sha256: str) -> None:
        identity = self.remote.identity
        if self._part is None or identity is None:
            return
        seal = {**self.remote.origin, "size": identity.size, "sha256": sha256, "kept": time.time()}
        try:
            with self._part.open("rb+") as copy:
                os.fsync(copy.fileno())
            self._part.replace(self._path)
            descriptor, seal_part = self._new_part()
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(seal, indent=2) + "\n")
            seal_part.replace(self._seal_path)
        except OSError as error:
            raise self.refused(error) from error


def _opened(path: Path) -> io.FileIO:
    """A regular file: opening a pipe, which another user may have left there, would wait."""
    file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is no file")
    return file


class Copying:
    """The same bytes, each of which is also written to a file."""

    def __init__(self, stream: Stream, file: IO[bytes], archive: CachedArchive) -> None:
        self._stream, self._file, self._archive = stream, file, archive

    def readinto(self, buffer: memoryview) -> int:
        size = self._stream.readinto(buffer)
        left = buffer[:size]
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._archive.refused(error) from error
        return size
