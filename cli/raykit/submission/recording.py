"""Writes a run's log and events to disk while the job runs, and shows the log to the user."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from pathlib import Path

from raykit.errors import RecordError
from raykit.measure.events import Event, EventFilter
from raykit.measure.records import EVENTS, LOG, RunRecord, RunsFolder, unwritable
from raykit.progress import Listener
from raykit.redaction import Redactor
from raykit.submission.preamble import Preamble

KEPT_BYTES = 16_384
RAYS_OWN = re.compile(r"(\x1b\[\d+m)?\((raylet|autoscaler|gcs_server)\b")


class Recording:
    """Takes a job's log as it arrives. A full disk stops the writing but not the showing.

    failure: the first error of writing. shown: bytes given to the listener.
    """

    def __init__(self, record: RunRecord, runs: RunsFolder, listener: Listener) -> None:
        self.record, self.runs, self.listener = record, runs, listener
        self.failure: RecordError | None = None
        # After a second interrupt the thread of an earlier following may not have ended yet.
        self.lock = threading.RLock()
        self.shown = 0
        self.log_path = runs.folder(record.id) / LOG
        self.events_path = runs.folder(record.id) / EVENTS
        self.begin()

    def begin(self) -> None:
        """Expect the log from its first byte, and show no byte of it a second time."""
        with self.lock:
            self._begin()

    def take(self, chunk: bytes) -> None:
        """Take the next bytes of the driver log, as the head has them."""
        with self.lock:
            self._keep(self.redactor.feed(chunk))

    def end(self) -> None:
        """Write what was held back, and put the log's size and SHA-256 into the record."""
        with self.lock:
            self._keep(self.redactor.end())
            rest = self.filter.end()
            self._file_events()
            self._show(self.preamble.feed(rest) + self.preamble.end())
            self.record.log |= {"bytes": self.size, "sha256": self.digest.hexdigest()}

    def last_lines(self, count: int = 8) -> list[str]:
        """The log's last lines, without those of Ray's own processes."""
        lines = (line.rstrip() for line in self.tail.decode("utf-8", "replace").splitlines())
        return without_rays_end([line for line in lines if line])[-count:]

    def _begin(self) -> None:
        self.record.start = None
        self.record.spans, self.record.results, self.record.errors = [], [], []
        self.repeated = self.shown
        self.redactor = Redactor()
        self.filter = EventFilter()
        self.digest = hashlib.sha256()
        self.size = 0
        self.filed = 0
        self.preamble = Preamble(self.record.submission_id, self.record.job["entrypoint"])
        self.tail = b""
        self._write(self.log_path, b"", "wb")
        self._write(self.events_path, b"", "wb")

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self.size += len(data)
        self.digest.update(data)
        self._write(self.log_path, data, "ab")
        visible = self.filter.feed(data)
        self._file_events()
        self._show(self.preamble.feed(visible))

    def _show(self, visible: bytes) -> None:
        if visible:
            self.tail = (self.tail + visible)[-KEPT_BYTES:]
            old, new = visible[: self.repeated], visible[self.repeated :]
            self.repeated -= len(old)
            self.shown += len(new)
            if new:
                self.listener.job_output(new)

    def _file_events(self) -> None:
        for event in self.filter.events[self.filed :]:
            self.record.add_event(event)
            self._write(self.events_path, _line(event), "ab")
        self.filed = len(self.filter.events)

    def _write(self, path: Path, data: bytes, mode: str) -> None:
        if self.failure:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open(mode) as out:
                out.write(data)
        except OSError as error:
            self.failure = unwritable(path, error)
            self.listener.note(f"warning: {self.failure.what}: {os.strerror(error.errno or 0)}")


def without_rays_end(lines: list[str]) -> list[str]:
    """Lines without the last ones that Ray's own processes wrote, such as a dead raylet's log.

    Ray starts the first line of such a log with the process's name and indents the others.
    """
    end = len(lines)
    for index in range(len(lines) - 1, -1, -1):
        if RAYS_OWN.match(lines[index]):
            end = index
        elif not lines[index].startswith("    "):
            break
    return lines[:end]


def _line(event: Event) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
