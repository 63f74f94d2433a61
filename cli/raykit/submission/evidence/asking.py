"""Requests to a head for evidence: its answers are kept as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from raykit.submission.transport import Transport


def answer(
    transport: Transport, path: str, most: int, query: Mapping[str, str] | None = None
) -> Any:
    """The JSON that answers a GET. most: bytes. Errors: JobsApiError (6)."""
    found = transport.get(path, params=query, most=most)
    if found.status_code != 200:
        raise transport.refusal(found)
    return transport.parsed(found)


@contextlib.contextmanager
def end_of_log(
    transport: Transport, node_id: str, filename: str, lines: int
) -> Iterator[Iterator[bytes]]:
    """The last lines of one of Ray's log files of a node, as far as they are written now."""
    query = {"node_id": node_id, "filename": filename, "lines": str(lines)}
    with transport.stream("api/v0/logs/file", params=query) as (_, chunks):
        yield chunks
