"""A folder of GSOD archives: which years it has, and whether they are unchanged since the fetch.

    <year>.tar.gz            the archive as NOAA publishes it
    <year>.tar.gz.json       its seal: address, size, SHA-256, the server's validators
    <year>.tar.gz.part       an incomplete download; the running fetch holds a lock on it
    <year>.tar.gz.part.etag  its validator, with which the next fetch resumes it

NOAA retired GSOD on 29 August 2025: it has the years 1929 to 2025, which were revised until then.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from raykit.errors import ConflictError, DataError, MissingError, UsageError

FIRST_YEAR, LAST_YEAR = 1929, 2025
CHUNK = 1 << 20
TAR_BLOCK = 512
GZIP = 31
"""zlib's window bits for a gzip stream with its header and checksum."""


@dataclass(frozen=True)
class Seal:
    """What raykit recorded of a complete archive. size: bytes. fetched: Unix seconds."""

    year: int
    url: str
    size: int
    sha256: str
    etag: str | None
    last_modified: str | None
    fetched: float


@dataclass(frozen=True)
class Entry:
    """One file of a folder. size: bytes.

    state: `sealed` (fetched by raykit), `unsealed`, `partial`, or `unreadable`.
    """

    year: int
    path: str
    size: int
    state: str
    sha256: str | None


def years(words: Iterable[str]) -> list[int]:
    """The sorted, distinct years of words such as `1980` and `1950..1953`.

    Errors: UsageError (2) naming every word that is no year and no range.
    """
    chosen: set[int] = set()
    wrong = []
    for word in words:
        match = re.fullmatch(r"([0-9]{4})(?:\.\.([0-9]{4}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if match is None or not FIRST_YEAR <= first <= last <= LAST_YEAR:
            wrong.append(word)
        chosen.update(range(first, last + 1))
    if wrong:
        raise UsageError(
            "not a year or a range of years of GSOD",
            evidence=wrong,
            next=f"years from {FIRST_YEAR} to {LAST_YEAR}, or ranges such as 1950..1959",
        )
    return sorted(chosen)


class Part:
    """A download in progress; our lock keeps other processes from writing it. size: bytes."""

    def __init__(self, year: int, path: Path, descriptor: int) -> None:
        self.year, self.path, self._descriptor = year, path, descriptor
        self.size = os.fstat(descriptor).st_size

    @property
    def validator(self) -> str | None:
        """The ETag or date with which the server identified the whole file; None if unknown."""
        try:
            return self._validator_path.read_text("utf-8") or None
        except (OSError, ValueError):
            return None

    @validator.setter
    def validator(self, text: str | None) -> None:
        self._validator_path.write_text(text or "", "utf-8")

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        view = memoryview(chunk)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def clear(self) -> None:
        """Empty the part, so that the transfer begins at the first byte."""
        os.ftruncate(self._descriptor, 0)
        self.size = 0
        self._validator_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the part and its validator."""
        self.path.unlink(missing_ok=True)
        self._validator_path.unlink(missing_ok=True)

    @property
    def _validator_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.etag")


class Store:
    """A folder of archives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def archive(self, year: int) -> Path:
        return self.folder / f"{year}.tar.gz"

    def partial(self, year: int) -> Path:
        return self.folder / f"{year}.tar.gz.part"

    def make(self) -> None:
        """Make the folder if it does not exist. Errors: MissingError (4) if that fails."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MissingError(
                f"the folder {self.folder} cannot be made",
                evidence=[error.strerror or str(error)],
                next="name a folder that can be written with --data",
            ) from error

    @contextlib.contextmanager
    def part(self, year: int) -> Iterator[Part]:
        """The download of a year, locked for this process while the block runs.

        Errors: ConflictError (8) if another process fetches the year; OSError.
        """
        path = self.partial(year)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if not _locked(descriptor) or not _is_still(path, descriptor):
                raise ConflictError(
                    f"another raykit fetches {year} into {self.folder}",
                    next=f"{self._fetch(year)}, when it has ended",
                )
            part = Part(year, path, descriptor)
            try:
                yield part
            finally:
                if not part.size and _is_still(path, descriptor):
                    part.remove()
        finally:
            os.close(descriptor)

    def whole(self, year: int) -> Seal | None:
        """The seal of an archive that still has its size; None if it does not, or is not there."""
        seal, path = self.seal(year), self.archive(year)
        return seal if seal and path.is_file() and path.stat().st_size == seal.size else None

    def seal(self, year: int) -> Seal | None:
        """The recorded seal of a year; None if there is none or it cannot be read."""
        try:
            data = json.loads(self._seal_path(year).read_text("utf-8"))
            seal = Seal(**data)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return seal if isinstance(seal.size, int) and isinstance(seal.sha256, str) else None

    def keep(self, seal: Seal) -> None:
        """Turn a complete download into the archive: write the seal, then rename the part."""
        temporary = self._seal_path(seal.year).with_suffix(".new")
        temporary.write_text(json.dumps(asdict(seal), indent=2) + "\n", "utf-8")
        temporary.replace(self._seal_path(seal.year))
        self.partial(seal.year).replace(self.archive(seal.year))
        self.partial(seal.year).with_name(f"{seal.year}.tar.gz.part.etag").unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """The archives and downloads in the folder, sorted by year."""
        files = []
        for path in self.folder.glob("*.tar.gz*") if self.folder.is_dir() else ():
            match = re.fullmatch(r"([0-9]{4})\.tar\.gz(\.part)?", path.name)
            if match:
                files.append(self._entry(int(match[1]), path, bool(match[2])))
        return sorted(files, key=lambda entry: (entry.year, entry.state))

    def verify(
        self, wanted: Sequence[int], read: Callable[[Path, int], str]
    ) -> Iterator[tuple[int, DataError | None]]:
        """Each wanted year with its error, or None if it is intact. Empty `wanted`: all years.

        read: reads a year's archive to its end and returns its SHA-256, or raises DataError.
        """
        present = [entry.year for entry in self.entries() if entry.state != "partial"]
        missing = [year for year in wanted if year not in present]
        for year in missing:
            yield year, self._missing(year, present)
        for year in present if not wanted else [year for year in wanted if year in present]:
            try:
                self._check(year, read(self.archive(year), year))
                yield year, None
            except DataError as error:
                yield year, error

    def _check(self, year: int, digest: str) -> None:
        """Errors: DataError (9) if the archive has changed since the fetch."""
        seal = self.seal(year)
        if seal and seal.sha256 != digest:
            raise DataError(
                f"{self.archive(year)} is not what was fetched",
                evidence=[f"SHA-256 {digest}", f"fetched  {seal.sha256}"],
                next=f"{self._fetch(year)} --again",
            )

    def _entry(self, year: int, path: Path, is_partial: bool) -> Entry:
        seal = None if is_partial else self.seal(year)
        try:
            size = path.stat().st_size
        except OSError:  # such as a link to nowhere
            return Entry(year, str(path), 0, "unreadable", None)
        sealed = seal is not None and seal.size == size
        state = "partial" if is_partial else "sealed" if sealed else "unsealed"
        return Entry(year, str(path), size, state, seal.sha256 if seal and sealed else None)

    def _missing(self, year: int, present: Sequence[int]) -> DataError:
        return DataError(
            f"{self.archive(year)} is missing",
            evidence=[f"years present: {', '.join(map(str, present)) or 'none'}"],
            next=self._fetch(year),
        )

    def _fetch(self, year: int) -> str:
        return f"raykit data fetch {year} --data {shlex.quote(str(self.folder))}"

    def _seal_path(self, year: int) -> Path:
        return self.folder / f"{year}.tar.gz.json"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether a path still names the open file: another fetch may have renamed it meanwhile."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def whole_archive(path: Path) -> str:
    """Read a gzipped tar to its end and return its SHA-256. Uses constant memory.

    Errors: DataError (9): not gzip, cut short, wrong checksum, bytes after the end, no
    end-of-archive blocks.
    """
    digest, inflater, last = hashlib.sha256(), zlib.decompressobj(GZIP), b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                if inflater.eof:
                    raise corrupt(path, "bytes behind the end of the gzip stream")
                last = _inflated_end(inflater, chunk, last)
                if inflater.unused_data:
                    raise corrupt(path, "bytes behind the end of the gzip stream")
    except OSError as error:
        raise corrupt(path, error.strerror or str(error)) from error
    except zlib.error as error:
        raise corrupt(path, str(error)) from error
    if not inflater.eof:
        raise corrupt(path, "the gzip stream ends before its checksum")
    if last != bytes(2 * TAR_BLOCK):
        raise corrupt(path, "the tar archive has no end: its two closing blocks are missing")
    return digest.hexdigest()


def _inflated_end(inflater: zlib._Decompress, chunk: bytes, last: bytes) -> bytes:
    """Inflate a chunk; return the last two tar blocks of the data so far."""
    data = inflater.decompress(chunk, CHUNK)
    while True:
        last = (last + data)[-2 * TAR_BLOCK :]
        if not inflater.unconsumed_tail:
            return last
        data = inflater.decompress(inflater.unconsumed_tail, CHUNK)


def corrupt(path: Path, *evidence: str) -> DataError:
    """The error for an archive that is not whole, with the command that fetches it again."""
    year = path.name.split(".")[0]
    return DataError(
        f"{path} is corrupt or incomplete",
        evidence=evidence,
        next=f"raykit data fetch {year} --data {shlex.quote(str(path.parent))} --again",
    )
