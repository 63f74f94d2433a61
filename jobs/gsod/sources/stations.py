"""A year as a bucket's folder with one CSV a station, as NOAA's own bucket has it.

The listing says what is whole: how many files, and the size and ETag of each of them.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from jobs.gsod.archive import DataProblem, years_there
from jobs.gsod.reading.tar_stream import MAX_MEMBER, MAX_MEMBERS, PLAIN_NAME, WINDOW, Member
from jobs.gsod.sources.access import Access
from jobs.gsod.sources.problems import Missing

PAGE = 1000
AT_ONCE = 32
AHEAD, AHEAD_BYTES = 3 * AT_ONCE, 8 * 2**20
"""Files, and bytes, that are asked for before their turn."""

Listed = Mapping[str, Any]


class StationFiles:
    """The files of a year; iterate to get lists of members, window by window, by their names.

    A window's members lie in the same memory as those of the window before: take what you need.
    skipped: objects that are no station's file. waited: as of `Measured`. Raises DataProblem for a
    listing that cannot be a year's, and for a file that is not as listed.
    """

    def __init__(self, access: Access, year: int) -> None:
        self.archive = f"{year}/"
        self.skipped: Counter[str] = Counter()
        self.waited = 0.0
        self._access, self._year = access, year
        self._files = self._listed()

    @property
    def facts(self) -> dict[str, Any]:
        """The listing, for the record."""
        lines = "".join(f"{_name(f)} {f['size']} {f['e_tag']}\n" for f in self._files)
        size = sum(file["size"] for file in self._files)
        return {
            "file": self.archive,
            "files": len(self._files),
            "bytes": size,
            "inflated_bytes": size,
            "listing_sha256": hashlib.sha256(lines.encode()).hexdigest(),
            "source": {"address": f"{self._access.where.address}/{self.archive}"},
        }

    def __iter__(self) -> Iterator[list[Member]]:
        window, end = bytearray(WINDOW), 0
        members: list[Member] = []
        for file, content in self._contents():
            if members and end + len(content) > len(window):
                yield members
                members, end = [], 0
            if len(content) > len(window):
                window = bytearray(len(content))
            start, end = end, end + len(content)
            window[start:end] = content
            members.append(Member(_name(file), window, start, end))
        yield members

    def _contents(self) -> Iterator[tuple[Listed, Any]]:
        """Each file with its content, in the order of the listing, many asked for at once."""
        asked: deque[tuple[Listed, Future[Any]]] = deque()
        pool, held = ThreadPoolExecutor(AT_ONCE, "stations"), 0
        try:
            for file in self._files:
                while asked and (len(asked) == AHEAD or held + file["size"] > AHEAD_BYTES):
                    held -= asked[0][0]["size"]
                    yield self._first(asked)
                asked.append((file, pool.submit(self._get, file)))
                held += file["size"]
            while asked:
                yield self._first(asked)
        finally:
            pool.shutdown(cancel_futures=True)

    def _first(self, asked: deque[tuple[Listed, Future[Any]]]) -> tuple[Listed, Any]:
        file, future = asked.popleft()
        began = time.perf_counter()
        content = future.result()
        self.waited += time.perf_counter() - began
        return file, content

    def _get(self, file: Listed) -> Any:
        import obstore

        name = f"{self.archive}{_name(file)}"

        def request(store: Any) -> Any:
            answer = obstore.get(store, file["path"])
            if _version(answer.meta) != _version(file):
                raise DataProblem(f"{name} changed since it was listed", "run the job again")
            return memoryview(answer.bytes())

        return self._access.ask(name, request)

    def _listed(self) -> list[Listed]:
        """The stations' files, sorted; other objects are counted."""
        files = []
        for listed in self._access.ask(self.archive, self._pages):
            if not PLAIN_NAME(_name(listed)) or listed["path"].count("/") != 1:
                self.skipped["other object"] += 1
                continue
            if listed["size"] > MAX_MEMBER:
                raise DataProblem(
                    f"{listed['path']} has {listed['size']:,} bytes: not one station's year"
                )
            files.append(listed)
        if not files:
            raise self._missing()
        if len({_name(file) for file in files}) < len(files):
            raise DataProblem(f"{self.archive} lists a file twice")
        return sorted(files, key=_name)

    def _pages(self, store: Any) -> list[Listed]:
        import obstore

        files: list[Listed] = []
        for page in obstore.list(store, self.archive, chunk_size=PAGE):
            files += page
            if len(files) > MAX_MEMBERS:
                raise DataProblem(f"{self.archive} has more than {MAX_MEMBERS:,} files")
        return files

    def _missing(self) -> DataProblem:
        """The problem that the bucket has no such year, with those that it has."""
        import obstore

        there = self._access.ask("its years", obstore.list_with_delimiter)
        names = [file["path"].removesuffix(".tar.gz") for file in there["objects"]]
        years = sorted({int(n) for n in [*names, *there["common_prefixes"]] if _is_year(n)})
        listed = years_there(years) if years else "no year is there"
        where = self._access.where.address
        return Missing(f"{self._year}.tar.gz and {self.archive} are not at {where}", listed)


def _version(file: Listed) -> tuple[int, str]:
    """Size and ETag; Azure's listings write it without quotation marks."""
    return file["size"], (file["e_tag"] or "").strip('"')


def _name(file: Listed) -> str:
    name: str = file["path"].rpartition("/")[2]
    return name


def _is_year(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) == 4
