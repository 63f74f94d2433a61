"""Fetching archives over HTTP: resumed after a cut, tried again, sealed only when whole."""

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
"""No year comes near it: the largest has about 110 MB."""
PASSING = {408, 425, 429, 500, 502, 503, 504}

OnBytes = Callable[[int, int, int | None], None]
"""Called with the year, the bytes so far, and the bytes in all where the server says."""


@dataclass(frozen=True)
class Fetched:
    """One year's outcome: its seal, or the error; `fresh` where bytes were transferred."""

    year: int
    seal: Seal | None
    error: RaykitError | None
    fresh: bool


class _Broken(Exception):
    """A transfer that broke off: worth another attempt."""


class _Stopped(Exception):
    """The caller was interrupted: nobody waits for this transfer any more."""


@dataclass
class _Fetcher:
    """What all years have in common. stop: set when the caller was interrupted."""

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
    """Fetch years into a store, some at once; those that are there and sealed are kept.

    An interrupt ends it at once: what was transferred stays, and the next fetch goes on with it.

    Errors stand in the result, year by year: DataError (9) for what is not an archive,
    MissingError (4) for what the server does not have, where nothing answers or nothing can be
    written, ConflictError (8) where another process fetches the year. Raised are UsageError (2) for
    a source that is no address, and MissingError (4) where the folder cannot be made.
    """
    check_source(source)
    store.make()
    timeout = httpx2.Timeout(30.0, connect=10.0)
    with httpx2.Client(timeout=timeout, follow_redirects=True) as client:
        fetcher = _Fetcher(client, store, source, again, on_bytes)
        try:
            found = _side_by_side(fetcher, years, parallel)
        finally:
            fetcher.stop.set()
    return [found[year] for year in years]


def check_source(source: str) -> None:
    """Errors: UsageError (2) where a source is no HTTP address."""
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
    """The outcome of every year.

    The threads are daemons, which nobody has to wait for: a read may take as long as its timeout.
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
    found: dict[int, Fetched] = {}
    while len(found) < len(years):
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        found[outcome.year] = outcome
    return found


def _one(fetcher: _Fetcher, year: int) -> Fetched:
    store = fetcher.store
    url = f"{fetcher.source.rstrip('/')}/{year}.tar.gz"
    try:
        if not fetcher.again and (seal := store.whole(year)):
            return Fetched(year, seal, None, fresh=False)
        with store.part(year) as part:
            # Once more: another process may have fetched it until it let go of the part.
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
    """Transfer until the archive is whole and reads well, then seal it."""
    headers = _transfer(fetcher, part, url)
    try:
        digest = whole_archive(part.path)
    except DataError as error:
        # What is corrupt must not be resumed: the next fetch begins at the first byte.
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
        next=f"raykit data fetch {part.year} --data {folder} goes on where it stopped",
    )


def _attempt(fetcher: _Fetcher, part: Part, url: str) -> httpx2.Headers:
    """One request, for what is still missing. Errors: _Broken where more is to come.

    A part is resumed only with the validator that came with it: of a file that was revised
    meanwhile, the server then sends all.
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
    """A strong ETag, else the date: what If-Range accepts."""
    etag: str | None = answer.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("last-modified")
