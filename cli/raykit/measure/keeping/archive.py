"""An archive of runs: which files it holds, and how large they may be.

raykit-runs/<id>/record.json, driver.log, events.jsonl     one run
raykit-runs/<id>/evidence.tar.gz                           what `raykit collect` kept of it
raykit-runs/<id>/experiment.json                           one experiment
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from raykit.measure import run_ids
from raykit.measure.experiment.experiments import FILE
from raykit.measure.keeping import plain_tar
from raykit.measure.keeping.evidence import EVIDENCE
from raykit.measure.keeping.files import TRAVELS
from raykit.measure.keeping.plain_tar import BadArchiveError, Rules, Source, Writable
from raykit.measure.records import EVENTS, LARGEST_LOG, LARGEST_RECORD, LOG, RECORD

__all__ = ["BadArchiveError", "Entry", "File", "Writable", "read", "write"]

ROOT = "raykit-runs"
NAME = re.compile(rf"{ROOT}/({run_ids.PLAIN.pattern})/({'|'.join(map(re.escape, TRAVELS))})")
FOLDER = re.compile(rf"{ROOT}(/{run_ids.PLAIN.pattern})?/?")
LARGEST = {
    RECORD: LARGEST_RECORD,
    FILE: LARGEST_RECORD,
    LOG: LARGEST_LOG,
    EVENTS: 1 << 30,
    EVIDENCE: 128 << 20,
}
"""Bytes of one file."""
MOST_BYTES, MOST_FILES = 4 << 30, 200_000


@dataclass(frozen=True)
class File:
    """A file to be archived: all bytes that it has when its turn comes."""

    run: str
    name: str
    path: Path


@dataclass(frozen=True)
class Entry:
    """A file in an archive. chunks: its bytes, to be read before the next entry is asked for."""

    run: str
    name: str
    chunks: Iterator[bytes]


def write(out: Writable, files: Iterable[File]) -> None:
    """Write an archive. The same files give the same bytes.

    Errors: BadArchiveError for a file that `read` would refuse, or that changed meanwhile.
    """
    plain_tar.write(out, map(_source, files), _rules())


def read(stream: BinaryIO) -> Iterator[Entry]:
    """The files of an archive, in its order.

    Errors: BadArchiveError, at the latest at the end: nothing counts before that.
    """
    for entry in plain_tar.read(stream, _rules()):
        names = NAME.fullmatch(entry.name)
        assert names is not None
        yield Entry(names[1], names[2], entry.chunks)


def _rules() -> Rules:
    return Rules(
        largest=_largest,
        is_folder=lambda name: FOLDER.fullmatch(name) is not None,
        most_bytes=MOST_BYTES,
        most_files=MOST_FILES,
        kind="file of a run",
        writer="raykit runs export",
    )


def _largest(name: str) -> int | None:
    names = NAME.fullmatch(name)
    return LARGEST[names[2]] if names else None


def _source(file: File) -> Source:
    mtime = int(run_ids.started(file.run) or 0)
    return Source(f"{ROOT}/{file.run}/{file.name}", partial(_opened, file), mtime)


def _opened(file: File) -> BinaryIO:
    try:
        return file.path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadArchiveError(f"{file.name} of {file.run} cannot be read: {reason}") from error
