"""Fetch archives over HTTP: resume broken transfers, retry, and seal complete archives only."""

from __future__ import annotations

import queue
import random
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from raykit.archives.store import Part, Seal, Store, whole_archive
from raykit.errors import DataError, MissingError, RaykitError, UsageError
from raykit.redaction import redacted

NCEI = "https://www.ncei.noaa.gov/data/global-summary-of-the-day/archive/"
"""NOAA's own address of the archives."""
ATTEMPTS = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
LARGEST_BYTES = 2 << 30
"""A limit far above any year: the largest has about 110 MB."""
PASSING = {408, 425, 429, 500, 502, 503, 504}

OnBytes = Callable[[int, int, int | None], None]
"""Called with the year, its bytes so far, and its size in bytes (None if the server omits it)."""


@dataclass(frozen=True)
class Fetched:
    """The result for one year: its seal or its error. fresh: False if a sealed archive was kept."""

    year: int
    seal: Seal | None
    error: RaykitError | None
    fresh: bool


class _Broken(Exception):
    """A transfer broke off; another attempt may succeed."""


class _Stopped(Exception):
    """The caller was interrupted and no longer waits for this transfer."""


@dataclass
class _Fetcher:
    """The settings of one `fetch`. stop: set when the caller was interrupted."""

    client: httpx2.Client
    store: Store
    source: str
    again: bool
    on_bytes: OnBytes
    stop: threading.Event = field(default_factory=threading.Event)


def fetch(
    store: Store,
    years: list[int],
    source: str,
    *,
    parallel: int = 2,
    again: bool = False,
    on_bytes: OnBytes = lambda *_: None,
) -> list[Fetched]:
    """Fetch years into a store and return one result a year, in the order of `years`.

    source: URL of the folder with the archives. parallel: transfers at a time. again: also fetch
    years that are sealed; without it those are kept. on_bytes: called after each chunk.
    An interrupt ends it at once; the next fetch continues with the bytes transferred so far.

    A result has the error of its year: DataError (9) for bytes that are no archive, MissingError
    (4) if the server lacks the year or does not answer, or the disk refuses, ConflictError (8) if
    another process fetches the year.
    Raises UsageError (2) if `source` is no URL, MissingError (4) if the folder cannot be made.
    """
    check_source(source)
    store.make()
    timeout = httpx2.Timeout(30.0, connect=10.0)
    with httpx2.Client(timeout=timeout, follow_redirects=True) as client:
        fetcher = _Fetcher(client, store, source, again, on_bytes)
        try:
            results = _side_by_side(fetcher, years, parallel)
        finally:
            fetcher.stop.set()
    return [results[year] for year in years]


def check_source(source: str) -> None:
    """Errors: UsageError (2) if a source is no HTTP address."""
    try:
        parts = urlsplit(source)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx2.URL(source)
    except (ValueError, httpx2.InvalidURL):
        good = False
    if not good:
        raise UsageError(
            f"--source {redacted(source)!r} is no address",
            next="an http:// or https:// address of a folder that holds <year>.tar.gz",
        )


def _side_by_side(fetcher: _Fetcher, years: list[int], parallel: int) -> dict[int, Fetched]:
    """The result of every year.

    The threads are daemons so that an interrupt need not wait for a read and its timeout.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for year in years:
        waiting.put(year)
    done: queue.SimpleQueue[Fetched | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            while not fetcher.stop.is_set():
                done.put(_one(fetcher, waiting.get_nowait()))
        except (queue.Empty, _Stopped):
            pass
        except BaseException as bug:
            done.put(bug)

    for number in range(min(parallel, len(years))):
        threading.Thread(target=work, name=f"fetch-{number}", daemon=True).start()
    results: dict[int, Fetched] = {}
    while len(results) < len(years):
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        results[outcome.year] = outcome
    return results


def _one(fetcher: _Fetcher, year: int) -> Fetched:
    store = fetcher.store
    url = f"{fetcher.source.rstrip('/')}/{year}.tar.gz"
    try:
        if not fetcher.again and (seal := store.whole(year)):
            return Fetched(year, seal, None, fresh=False)
        with store.part(year) as part:
            # Check once more: another process may have fetched it before we got the lock.
            if not fetcher.again and (seal := store.whole(year)):
                part.clear()
                return Fetched(year, seal, None, fresh=False)
            if fetcher.again:
                part.clear()
            return Fetched(year, _whole(fetcher, part, url), None, fresh=True)
    except RaykitError as error:
        return Fetched(year, None, error, fresh=True)
    except OSError as error:
        refused = MissingError(
            f"{store.partial(year)} cannot be written",
            evidence=[error.strerror or str(error)],
            next="free space, or name another folder with --data",
        )
        return Fetched(year, None, refused, fresh=True)


def _whole(fetcher: _Fetcher, part: Part, url: str) -> Seal:
    """Transfer the rest of the archive, check it, and seal it."""
    headers = _transfer(fetcher, part, url)
    try:
        digest = whole_archive(part.path)
    except DataError as error:
        # A corrupt part must not be resumed: the next fetch begins at the first byte.
        part.remove()
        raise DataError(
            f"{redacted(url)} is not a whole archive",
            evidence=error.evidence,
            next="fetch it again later",
        ) from error
    seal = Seal(
        part.year,
        redacted(url),
        part.size,
        digest,
        headers.get("etag"),
        headers.get("last-modified"),
        time.time(),
    )
    fetcher.store.keep(seal)
    return seal


def _transfer(fetcher: _Fetcher, part: Part, url: str) -> httpx2.Headers:
    last: Exception | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            fetcher.stop.wait(pause * random.uniform(0.5, 1.0))
        if fetcher.stop.is_set():
            raise _Stopped
        try:
            return _attempt(fetcher, part, url)
        except (_Broken, httpx2.HTTPError, httpx2.InvalidURL) as error:
            last = error
    folder = shlex.quote(str(fetcher.store.folder))
    raise MissingError(
        f"{redacted(url)} could not be fetched in {ATTEMPTS} attempts",
        evidence=[redacted(f"{type(last).__name__.lstrip('_')}: {last}")],
        next=f"raykit data fetch {part.year} --data {folder} continues where it stopped",
    )


def _attempt(fetcher: _Fetcher, part: Part, url: str) -> httpx2.Headers:
    """Request the missing bytes once. Errors: _Broken if the transfer is not complete.

    If-Range names the validator of the first bytes: if the file has changed since, the server
    sends all of it.
    """
    validator = part.validator
    have = part.size if validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator or ""} if have else {}
    headers["Accept-Encoding"] = "identity"
    with fetcher.client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416 and have:
            part.clear()
            raise _Broken("the server has fewer bytes than we: it is another file now")
        _accept(answer, url)
        resumed = answer.status_code == 206
        if not resumed:
            part.clear()
        total = _total(answer, part.size)
        part.validator = _validator(answer)
        for chunk in answer.iter_raw():
            part.write(chunk)
            fetcher.on_bytes(part.year, part.size, total)
            if fetcher.stop.is_set():
                raise _Stopped
            if part.size > LARGEST_BYTES:
                raise DataError(f"{redacted(url)} is larger than any year", next="check --source")
        if total is not None and part.size < total:
            raise _Broken(f"cut after {part.size} of {total} bytes")
        return answer.headers


def _accept(answer: httpx2.Response, url: str) -> None:
    if answer.status_code in (200, 206):
        return
    if answer.status_code in PASSING:
        raise _Broken(f"HTTP {answer.status_code}")
    raise MissingError(
        f"{redacted(url)} cannot be had",
        evidence=[f"HTTP {answer.status_code}"],
        next="check the year and --source; raykit data list shows what is here",
    )


def _total(answer: httpx2.Response, have: int) -> int | None:
    length = answer.headers.get("content-length", "")
    return have + int(length) if length.isdecimal() and len(length) < 16 else None


def _validator(answer: httpx2.Response) -> str | None:
    """The value for If-Range: a strong ETag, else the Last-Modified date."""
    etag: str | None = answer.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("last-modified")
