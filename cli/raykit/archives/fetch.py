"""Fetching archives over HTTP: resumed after a cut, tried again, sealed only when whole."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2

from raykit.archives.store import Seal, Store, whole_archive
from raykit.errors import DataError, MissingError, RaykitError

NCEI = "https://www.ncei.noaa.gov/data/global-summary-of-the-day/archive/"
"""NOAA's own address of the archives."""
ATTEMPTS = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
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

    Errors stand in the result, year by year: DataError (9) for what is not an archive,
    MissingError (4) for what the server does not have or where nothing answers.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    timeout = httpx2.Timeout(30.0, connect=10.0)
    with (
        httpx2.Client(timeout=timeout, follow_redirects=True) as client,
        ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="fetch") as pool,
    ):
        return list(
            pool.map(lambda year: _one(client, store, year, source, again, on_bytes), years)
        )


def _one(
    client: httpx2.Client, store: Store, year: int, source: str, again: bool, on_bytes: OnBytes
) -> Fetched:
    seal = store.seal(year)
    path = store.archive(year)
    if not again and seal and path.is_file() and path.stat().st_size == seal.size:
        return Fetched(year, seal, None, fresh=False)
    if again:
        store.partial(year).unlink(missing_ok=True)
    url = f"{source.rstrip('/')}/{year}.tar.gz"
    try:
        return Fetched(year, _whole(client, store, year, url, on_bytes), None, fresh=True)
    except RaykitError as error:
        return Fetched(year, None, error, fresh=True)
    except OSError as error:
        refused = MissingError(
            f"{store.partial(year)} cannot be written",
            evidence=[error.strerror or str(error)],
            next="free space, or name another folder with --data",
        )
        return Fetched(year, None, refused, fresh=True)


def _whole(client: httpx2.Client, store: Store, year: int, url: str, on_bytes: OnBytes) -> Seal:
    """Transfer until the archive is whole and reads well, then seal it."""
    headers = _transfer(client, store, year, url, on_bytes)
    try:
        digest = whole_archive(store.partial(year))
    except DataError as error:
        # What is corrupt must not be resumed: the next fetch begins anew.
        store.partial(year).unlink(missing_ok=True)
        raise DataError(
            f"{url} is not a whole archive", evidence=error.evidence, next="fetch it again later"
        ) from error
    seal = Seal(
        year,
        url,
        store.partial(year).stat().st_size,
        digest,
        headers.get("etag"),
        headers.get("last-modified"),
        time.time(),
    )
    store.keep(seal)
    return seal


def _transfer(
    client: httpx2.Client, store: Store, year: int, url: str, on_bytes: OnBytes
) -> httpx2.Headers:
    last: Exception | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            time.sleep(pause * random.uniform(0.5, 1.0))
        try:
            return _attempt(client, store, year, url, on_bytes)
        except (_Broken, httpx2.TransportError) as error:
            last = error
    raise MissingError(
        f"{url} could not be fetched in {ATTEMPTS} attempts",
        evidence=[f"{type(last).__name__}: {last}"],
        next=f"raykit data fetch {year} goes on where it stopped",
    )


def _attempt(
    client: httpx2.Client,
    store: Store,
    year: int,
    url: str,
    on_bytes: OnBytes,
) -> httpx2.Headers:
    """One request, for what is still missing. Errors: _Broken where more is to come.

    A part is resumed only with the validator that came with it: of a file that was revised
    meanwhile, the server then sends all.
    """
    partial, validator = store.partial(year), store.validator(year)
    have = partial.stat().st_size if partial.exists() and validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator or ""} if have else {}
    with client.stream("GET", url, headers={**headers, "Accept-Encoding": "identity"}) as answer:
        if answer.status_code == 416 and have:
            partial.unlink()
            raise _Broken("the server has fewer bytes than we: it is another file now")
        _accept(answer, url)
        resumed = answer.status_code == 206
        total = _total(answer, have if resumed else 0)
        store.remember_validator(year, _validator(answer))
        with partial.open("ab" if resumed else "wb") as out:
            for chunk in answer.iter_raw():
                out.write(chunk)
                on_bytes(year, out.tell(), total)
        if total is not None and partial.stat().st_size < total:
            raise _Broken(f"cut after {partial.stat().st_size} of {total} bytes")
        return answer.headers


def _accept(answer: httpx2.Response, url: str) -> None:
    if answer.status_code in (200, 206):
        return
    if answer.status_code in PASSING:
        raise _Broken(f"HTTP {answer.status_code}")
    raise MissingError(
        f"{url} cannot be had",
        evidence=[f"HTTP {answer.status_code}"],
        next="check the year and --source; raykit data list shows what is here",
    )


def _total(answer: httpx2.Response, have: int) -> int | None:
    length = answer.headers.get("content-length")
    return have + int(length) if length and length.isdigit() else None


def _validator(answer: httpx2.Response) -> str | None:
    """A strong ETag, else the date: what If-Range accepts."""
    etag = answer.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("last-modified")
