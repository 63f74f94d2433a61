"""The folder of run records: each is one submission of one job, and what was measured.

    runs/<id>/record.json    the fields of RunRecord, written atomically, schema-versioned
    runs/<id>/driver.log     the driver's log, byte for byte except for known secrets
    runs/<id>/events.jsonl   the job's timing events, one a line, appended as they arrive

A record is written before the job is submitted, with the status UNFINISHED, and again at its end.
While raykit follows a job, its run's folder is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from raykit.errors import MissingError, RecordError
from raykit.files import read_own, replacing, resolved
from raykit.measure import events, run_ids
from raykit.measure.keeping import heads
from raykit.measure.keeping.cleaning import cleaned
from raykit.measure.keeping.record import NOT_SUBMITTED, SCHEMA, UNFINISHED, RunRecord

__all__ = [
    "EVENTS",
    "EXPERIMENT",
    "LOG",
    "NOT_SUBMITTED",
    "RECORD",
    "SCHEMA",
    "UNFINISHED",
    "RunRecord",
    "RunsFolder",
    "into",
    "unwritable",
    "write_atomically",
]

RECORD, LOG, EVENTS = "record.json", "driver.log", "events.jsonl"
EXPERIMENT = "experiment.json"
"""An experiment's file, in a folder of its own beside those of its runs."""
LARGEST_RECORD, LARGEST_LOG = 64 << 20, 2 << 30
"""Bytes of a file that is read. A record of the largest cluster that was measured has 100 kB."""
PROBE_BYTES = 1 << 16
"""Bytes that the disk must have room for before a run starts: about a record and a short log."""

ELSEWHERE = "give --output-file a file in a folder that can be written"
OF_THE_SYSTEM = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders whose links lead to what a process has open."""

NUMBERS = re.compile(r"\[\n\s+([-+.\deE]+(?:,\n\s+[-+.\deE]+)*)\n\s+\]")


class RunsFolder:
    """The folder of run records: `./runs`, or the one that RAYKIT_RUNS names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def chosen(cls, environ: Mapping[str, str], folder: Path | str | None = None) -> RunsFolder:
        """The given folder, else that of RAYKIT_RUNS in the environment, else ./runs."""
        return cls(resolved(Path(folder or environ.get("RAYKIT_RUNS") or "runs")))

    def check_writable(self) -> None:
        """Check that a record can be written, and leave nothing behind.

        Errors: MissingError (4) if not.
        """
        probe = self.path / f".write-{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _write_durably(probe, b"\n" * PROBE_BYTES)
            probe.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):
                probe.unlink()
            raise MissingError(
                f"run records cannot be written to {self.path}",
                evidence=[str(error)],
                next="set RAYKIT_RUNS to a folder that can be written",
            ) from error

    def folder(self, run_id: str) -> Path:
        """A run's folder. Only this method turns a name into a path.

        Errors: RecordError (7) for a name that is not plain; names may come from other machines.
        """
        if not run_ids.is_plain(run_id):
            raise RecordError(
                f"{run_id!r} cannot be the name of a run",
                evidence=["a name has letters, digits, '.', '_' and '-', at most 128"],
                next="raykit runs lists the runs that are here",
            )
        return self.path / run_id

    @contextlib.contextmanager
    def followed(self, run_id: str) -> Iterator[bool]:
        """Lock a run while its job is followed; False if another raykit here follows it."""
        try:
            self.folder(run_id).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder(run_id), os.O_RDONLY)
        except OSError as error:
            raise unwritable(self.folder(run_id), error) from error
        try:
            yield _locked(descriptor)
        finally:
            # A program that another thread is starting has the descriptor too, until its exec.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def write(self, record: RunRecord) -> Path:
        """Write record.json atomically and durably; return its path.

        Errors: RecordError (7) with the path, if the disk refuses.
        """
        path = self.folder(record.id) / RECORD
        text = json.dumps(cleaned(record), indent=2, allow_nan=False) + "\n"
        write_atomically(path, _numbers_on_one_line(text).encode())
        return path

    def read(self, run_id: str) -> RunRecord:
        """The record that a word names, as in `find`.

        Errors: RecordError (7) if it is missing, cut short or of another schema; UsageError (2) if
        the word names several.
        """
        known_id = self.find(run_id)
        if known_id is None:
            raise self.missing(run_id)
        return self.load(known_id)

    def find(self, word: str) -> str | None:
        """The id of the run that a word names; None if there is none.

        A word is a run's id, a submission id (its newest run), `last` or `last~N`, or at least four
        characters with which only one id begins.

        Errors: UsageError (2) if several ids begin with the word.
        """
        if self.has(word):
            return word
        return run_ids.find(word, self.ids(), lambda name: self._peek(name, "submission_id"))

    def has(self, word: str) -> bool:
        """Whether a word is a run's whole id: without listing all runs, which may be thousands."""
        plain = run_ids.is_plain(word) and not run_ids.is_last(word)
        return plain and (self.path / word / RECORD).is_file()

    def load(self, run_id: str) -> RunRecord:
        """One record by its id. Errors: RecordError (7) as for `read`."""
        path = self.folder(run_id) / RECORD
        try:
            data = events.loads(read_own(path, LARGEST_RECORD))
            if not isinstance(data, dict):
                raise ValueError("it is no JSON object")
            if data.get("schema") != SCHEMA:
                raise ValueError(f"schema {data.get('schema')}, this raykit reads {SCHEMA}")
            return RunRecord.from_dict(data)
        except (OSError, ValueError, RecursionError) as error:
            raise RecordError(
                f"the run record {path} cannot be read",
                evidence=[str(error)],
                next="raykit runs lists the records that can be read",
            ) from error

    def log(self, run_id: str) -> bytes:
        """The saved driver log.

        Errors: RecordError (7) if it is missing or unreadable.
        """
        path = self.folder(run_id) / LOG
        try:
            return read_own(path, LARGEST_LOG)
        except (OSError, ValueError) as error:
            raise RecordError(
                f"the log {path} cannot be read",
                evidence=[str(error)],
                next=f"raykit runs show {run_id}",
            ) from error

    def ids(self) -> list[str]:
        """The ids of all runs, oldest first; within one second, in the order of their records."""
        names = [entry.parent.name for entry in self.path.glob(f"*/{RECORD}")]
        seconds = {name: run_ids.started(name) for name in names}
        shared = Counter(seconds.values())

        def moment(name: str) -> tuple[float, float, str]:
            second = seconds[name]
            if second is not None and shared[second] == 1:
                return second, 0.0, name
            exact = self.started(name)
            return (exact if second is None else second), exact, name

        return sorted(names, key=moment)

    def records(self) -> Iterator[tuple[str, RunRecord | RecordError]]:
        """The ids and records of all runs, oldest first; an error in place of an unreadable one."""
        for run_id in self.ids():
            try:
                yield run_id, self.load(run_id)
            except RecordError as error:
                yield run_id, error

    def missing(self, word: str) -> RecordError:
        """The error for a word that names no run."""
        if run_ids.is_plain(word) and (self.path / word / EXPERIMENT).is_file():
            return RecordError(
                f"{word} is an experiment, not a run",
                next=f"raykit compare {word}, or raykit report {word}",
            )
        empty = run_ids.is_last(word) and not self.ids()
        return RecordError(
            "there are no runs yet" if empty else f"there is no run {word}",
            evidence=[f"looked in {self.path}"],
            next="raykit runs lists them; RAYKIT_RUNS names another folder",
        )

    def status(self, run_id: str) -> str | None:
        """A run's status as its record has it; None where it cannot be read."""
        status = self._peek(run_id, "status")
        return status if isinstance(status, str) else None

    def started(self, run_id: str) -> float:
        """When a run began, Unix seconds; where its record cannot say, when it was last written."""
        exact = self._peek(run_id, "started")
        if isinstance(exact, int | float):
            return float(exact)
        return self.written(run_id)

    def written(self, run_id: str) -> float:
        """When a run's record was last written, Unix seconds; 0 where it cannot be read."""
        try:
            return (self.path / run_id / RECORD).stat().st_mtime
        except OSError:
            return 0.0

    def head(self, run_id: str) -> dict[str, Any]:
        """The fields at the beginning of a record, as they stand there.

        Errors: OSError, ValueError, RecursionError where it cannot be read.
        """
        return heads.parse(read_own(self.path / run_id / RECORD, LARGEST_RECORD))

    def _peek(self, run_id: str, field_name: str) -> object:
        """One field of a record's head as it stands there; None where it cannot be read."""
        try:
            return self.head(run_id)[field_name]
        except (OSError, ValueError, KeyError, RecursionError):
            return None


def _numbers_on_one_line(text: str) -> str:
    """Indented JSON with each list of numbers on one line: a task takes one line instead of five.

    No text within JSON holds a line break, so that none is taken for a list.
    """
    return NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", text)


def _locked(descriptor: int) -> bool:
    """Take the lock of a run's folder; also True if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def write_atomically(path: Path, data: bytes, next: str = "") -> None:
    """Write a file of a run completely or not at all, and durably. next: as for `into`.

    Errors: RecordError (7) with the path, if the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error, next) from error
    with into(path, next) as out:
        out.write(data)


@contextlib.contextmanager
def into(path: Path, next: str = "") -> Iterator[BinaryIO]:
    """A file that is there when it is whole, and not before; one of that name is replaced.

    A device or a pipe is written into. Links are replaced, except the system's: /dev/stdout.
    A file keeps its permissions; nobody may read the new one who might not read the old one.
    next: what to do if the disk refuses it. Errors: RecordError (7) then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if _is_stream(path):
            with path.open("wb") as out:
                yield out
            return
        with replacing(path, temporary) as out:
            yield out
    except OSError as error:
        raise unwritable(path, error, next) from error


def _is_stream(path: Path) -> bool:
    """Whether a name is that of a device or a pipe, and not of a link that anybody made."""
    if path.parent in OF_THE_SYSTEM:
        # A shell may have opened a file under such a name: > FILE.
        return path.exists()
    return not path.is_symlink() and path.exists() and not (path.is_file() or path.is_dir())


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def unwritable(path: Path, error: OSError, next: str = "") -> RecordError:
    """The error for a file that the disk refuses. next: what to do, if it is no file of a run."""
    return RecordError(
        f"{path} could not be written",
        evidence=[error.strerror or str(error)],
        next=next or "free space or set RAYKIT_RUNS to another folder, then run it again",
    )
