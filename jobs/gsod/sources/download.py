"""Streams one object while it downloads: resumed after cuts, refused if it changed in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.gsod.archive import DataProblem
from jobs.gsod.reading.read_ahead import Ahead
from jobs.gsod.sources.access import Access
from jobs.gsod.sources.problems import reason

PIECE_BYTES = 2**18
"""Bytes that the library hands over at once; larger pieces take memory and save no time."""

CUTS, PROGRESS_BYTES = 6, 2**20
"""Cuts in a row, with less progress between them, after which a download is given up."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 15.0
LARGEST_BYTES = 2 * 2**30
"""A limit far above any year: the largest has about 110 MB."""

OF_THE_FILE = ("gzip", "x-gzip")
"""Some servers give these encodings to every file named .gz; they send it as it is."""


@dataclass(frozen=True)
class Identity:
    """What a source says of one version of an object. modified: None if it does not say."""

    size: int
    etag: str | None
    modified: datetime | None

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Identity:
        """The identity in obstore's metadata, where a missing date is 1 January 1970."""
        modified = meta["last_modified"]
        return cls(meta["size"], meta["e_tag"], modified if modified.timestamp() else None)

    @property
    def version(self) -> tuple[int, str]:
        """What is equal for equal bytes: the size, with the ETag or else the date.

        Mirrors may give different dates to one file.
        """
        return self.size, self.etag or (self.modified.isoformat() if self.modified else "")

    def __str__(self) -> str:
        marks = [
            self.etag or "no ETag",
            f"{self.modified:%Y-%m-%d %H:%M:%S}" if self.modified else "",
        ]
        return ", ".join(filter(None, [f"{self.size:,} bytes", *marks]))


class RemoteArchive:
    """A year's archive at an address. Each opening must meet the same version of it."""

    def __init__(self, access: Access, year: int) -> None:
        self.access, self.where, self.name = access, access.where, f"{year}.tar.gz"
        self.identity: Identity | None = None
        self.remarks: tuple[str, ...] = ()

    @property
    def origin(self) -> dict[str, Any]:
        """The address and the version that was read, for the record."""
        identity = self.identity
        return {
            "address": f"{self.where.address}/{self.name}",
            "etag": identity and identity.etag,
            "last_modified": identity and identity.modified and identity.modified.isoformat(),
        }

    def open(self, *_: object) -> AbstractContextManager[Ahead]:
        """Begin the download, which a second thread reads ahead. Raises DataProblem."""
        return Ahead(Download(self))

    def ask(self, at: int = 0, head: bool = False) -> Any:
        """The source's answer with the bytes from one on, or with none.

        Raises DataProblem if it refuses or if it is not the version that it was.
        """
        options: Any = {"head": head} | ({"range": {"offset": at}} if at else {})

        def request(store: Any) -> Any:
            import obstore

            answer = obstore.get(store, self.name, options=options)
            return answer, Identity.of(answer.meta), answer.attributes

        answer, identity, attributes = self.access.ask(self.name, request)
        if self.identity is None:
            self._check(identity, attributes)
            self.identity = identity
        if identity.version != self.identity.version:
            raise DataProblem(
                f"{self.name} changed at its source while it was read",
                f"it was {self.identity}",
                f"it is {identity}: run the job again",
            )
        return answer

    def _check(self, identity: Identity, attributes: Mapping[str, str]) -> None:
        kind, encoding = attributes.get("Content-Type", ""), attributes.get("Content-Encoding", "")
        if kind.startswith("text/html"):
            raise DataProblem(
                f"{self.where.address} answered with a web page instead of {self.name}",
                f"{kind}, {identity}",
                "it may ask for a login, or be the page of a proxy: open it in a browser",
            )
        if encoding and encoding not in OF_THE_FILE:
            raise DataProblem(f"{self.name} is sent with another compression: {encoding[:80]}")
        if identity.size > LARGEST_BYTES:
            raise DataProblem(f"{self.name} has {identity.size:,} bytes: not a year of GSOD")
        if encoding:
            self.remarks = (f"its source says that it compresses it: Content-Encoding: {encoding}",)


class Download:
    """The bytes of one archive, to be read into the caller's memory.

    A transfer that was cut goes on from its last byte; pauses between cuts grow.
    """

    def __init__(self, archive: RemoteArchive) -> None:
        self._archive = archive
        self._pieces = self._download()
        self._piece = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from its beginning; the number of bytes, 0 at the end."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size], self._piece = self._piece[:size], self._piece[size:]
        return size

    def _download(self) -> Iterator[Any]:
        at, cuts, resumed = 0, 0, 0
        answer = self._archive.ask()
        size = answer.meta["size"]
        while at < size:
            try:
                for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                    at += len(piece)
                    yield piece
                why = "the source sent fewer bytes"
            except Exception as error:
                why = reason(error)
            if at < size:
                cuts = 1 if at - resumed >= PROGRESS_BYTES else cuts + 1
                self._pause(cuts, why, at, size)
                answer, resumed = self._archive.ask(at), at

    def _pause(self, cuts: int, why: str, at: int, size: int) -> None:
        if cuts > CUTS:
            raise DataProblem(
                f"{self._archive.name} came from {self._archive.where.address} only in part",
                f"{at:,} of {size:,} bytes; the last {cuts} tries brought almost none: {why}",
            )
        longest = min(FIRST_PAUSE_SECONDS * 2 ** (cuts - 1), LONGEST_PAUSE_SECONDS)
        time.sleep(longest * random.uniform(0.5, 1.0))
