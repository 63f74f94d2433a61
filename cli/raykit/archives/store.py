"""A folder of GSOD archives: which years are there, and whether they are what was fetched.

    <year>.tar.gz         as NOAA publishes it
    <year>.tar.gz.json    what `fetch` saw: address, size, SHA-256, validators of the server
    <year>.tar.gz.part    a download that is not complete; the fetch at work holds a lock on it,
                          the next goes on with it where <year>.tar.gz.part.etag still holds

GSOD was retired on 29 August 2025: the years are 1929 to 2025, and files were revised until then.
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
from collections.abc import Iterable, Iterator, Sequence
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
    """What is known of a whole archive. size in bytes; fetched: Unix seconds."""

    year: int
    url: str
    size: int
    sha256: str
    etag: str | None
    last_modified: str | None
    fetched: float


@dataclass(frozen=True)
class Entry:
    """One year of a folder. size in bytes.

    state: `sealed` (fetched by raykit), `unsealed`, `partial`, or `unreadable`.
    """

    year: int
    path: str
    size: int
    state: str
    sha256: str | None


def years(words: Iterable[str]) -> list[int]:
    """Years from words such as `1980` and `1950..1953`, sorted, each once.

    Errors: UsageError (2) naming every word that is no year and no range.
    """
    found: set[int] = set()
    wrong = []
    for word in words:
        match = re.fullmatch(r"([0-9]{4})(?:\.\.([0-9]{4}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if match is None or not FIRST_YEAR <= first <= last <= LAST_YEAR:
            wrong.append(word)
        found.update(range(first, last + 1))
    if wrong:
        raise UsageError(
            "not a year or a range of years of GSOD",
            evidence=wrong,
            next=f"years from {FIRST_YEAR} to {LAST_YEAR}, or ranges such as 1950..1959",
        )
    return sorted(found)


class Part:
    """A download in progress, which no other process writes meanwhile. size in bytes."""

    def __init__(self, year: int, path: Path, descriptor: int) -> None:
        self.year, self.path, self._descriptor = year, path, descriptor
        self.size = os.fstat(descriptor).st_size

    @property
    def validator(self) -> str | None:
        """What the server named the file that this is a part of."""
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
        """Begin at the first byte."""
        os.ftruncate(self._descriptor, 0)
        self.size = 0
        self._validator_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing of it."""
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
        """Make the folder unless it is there. Errors: MissingError (4)."""
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
        """The download of a year, for this process alone while the block runs.

        Errors: ConflictError (8) where another process fetches the year; OSError.
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
        """The seal of an archive that is there with the size that was fetched."""
        seal, path = self.seal(year), self.archive(year)
        return seal if seal and path.is_file() and path.stat().st_size == seal.size else None

    def seal(self, year: int) -> Seal | None:
        """What was recorded when the year was fetched."""
        try:
            data = json.loads(self._seal_path(year).read_text("utf-8"))
            seal = Seal(**data)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return seal if isinstance(seal.size, int) and isinstance(seal.sha256, str) else None

    def keep(self, seal: Seal) -> None:
        """Make a complete download the archive: the seal first, then the name."""
        temporary = self._seal_path(seal.year).with_suffix(".new")
        temporary.write_text(json.dumps(asdict(seal), indent=2) + "\n", "utf-8")
        temporary.replace(self._seal_path(seal.year))
        self.partial(seal.year).replace(self.archive(seal.year))
        self.partial(seal.year).with_name(f"{seal.year}.tar.gz.part.etag").unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """What is in the folder, by year."""
        found = []
        for path in self.folder.glob("*.tar.gz*") if self.folder.is_dir() else ():
            match = re.fullmatch(r"([0-9]{4})\.tar\.gz(\.part)?", path.name)
            if match:
                found.append(self._entry(int(match[1]), path, bool(match[2])))
        return sorted(found, key=lambda entry: (entry.year, entry.state))

    def verify(self, wanted: Sequence[int]) -> Iterator[tuple[int, DataError | None]]:
        """Each wanted year, or all, with what is wrong with it."""
        present = [entry.year for entry in self.entries() if entry.state != "partial"]
        missing = [year for year in wanted if year not in present]
        for year in missing:
            yield year, self._missing(year, present)
        for year in present if not wanted else [year for year in wanted if year in present]:
            try:
                self.check(year)
                yield year, None
            except DataError as error:
                yield year, error

    def check(self, year: int) -> str:
        """Read a whole archive; its SHA-256.

        Errors: DataError (9) where it is not what was fetched, or is cut or corrupt.
        """
        digest = whole_archive(self.archive(year))
        seal = self.seal(year)
        if seal and seal.sha256 != digest:
            raise DataError(
                f"{self.archive(year)} is not what was fetched",
                evidence=[f"SHA-256 {digest}", f"fetched  {seal.sha256}"],
                next=f"{self._fetch(year)} --again",
            )
        return digest

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
    """Whether a path names the open file: its holder may have renamed it before it let go."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def whole_archive(path: Path) -> str:
    """Read a gzipped tar to its very end; its SHA-256. Memory stays flat.

    Errors: DataError (9): not gzip, cut short, wrong checksum, bytes behind the end, no
    end-of-archive blocks.
    """
    digest, inflater, last = hashlib.sha256(), zlib.decompressobj(GZIP), b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                if inflater.eof:
                    raise _corrupt(path, "bytes behind the end of the gzip stream")
                last = _inflated_end(inflater, chunk, last)
                if inflater.unused_data:
                    raise _corrupt(path, "bytes behind the end of the gzip stream")
    except OSError as error:
        raise _corrupt(path, error.strerror or str(error)) from error
    except zlib.error as error:
        raise _corrupt(path, str(error)) from error
    if not inflater.eof:
        raise _corrupt(path, "the gzip stream ends before its checksum")
    if last != bytes(2 * TAR_BLOCK):
        raise _corrupt(path, "the tar archive has no end: its two closing blocks are missing")
    return digest.hexdigest()


def _inflated_end(inflater: zlib._Decompress, chunk: bytes, last: bytes) -> bytes:
    """The last two tar blocks of what has been inflated so far."""
    data = inflater.decompress(chunk, CHUNK)
    while True:
        last = (last + data)[-2 * TAR_BLOCK :]
        if not inflater.unconsumed_tail:
            return last
        data = inflater.decompress(inflater.unconsumed_tail, CHUNK)


def _corrupt(path: Path, why: str) -> DataError:
    year = path.name.split(".")[0]
    return DataError(
        f"{path} is corrupt or incomplete",
        evidence=[why],
        next=f"raykit data fetch {year} --data {shlex.quote(str(path.parent))} --again",
    )
