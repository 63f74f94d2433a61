"""Measures a run after its job has ended: Ray's task events, lost nodes, and the job's phases."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.errors import RaykitError
from raykit.measure import facts, outcome, strip
from raykit.measure.clocks import SLACK
from raykit.measure.job_phases import Marks, head_offset, job_phases
from raykit.measure.records import RunRecord
from raykit.progress import Progress
from raykit.submission.jobs_api import JobDetails, JobsApi

LATE_EVENTS_SECONDS = 2.0
NODE_SECONDS = 25.0
LIVE_STATES = frozenset({"RUNNING", "SUBMITTED_TO_WORKER", "PENDING_NODE_ASSIGNMENT"})

ODD_ANSWERS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""Exceptions that rows with missing or mistyped fields cause."""


@dataclass
class Observation:
    """What raykit saw of a job while it followed it; times are Unix seconds on our clock.

    submitted: when Ray had accepted the job. posted: when raykit sent it. seen_running: the last
    answer but one that said it had not ended. first_byte: when its log's first byte arrived.
    seen_end: when raykit saw that it had ended. details: the last answer about its status.
    joined_late: the log may have begun before raykit read it, so `first_byte` does not bound the
    driver's start. last_answer: the last answer that said it had not ended.
    """

    submitted: float
    posted: float | None = None
    seen_running: float | None = None
    first_byte: float | None = None
    seen_end: float | None = None
    details: JobDetails | None = None
    joined_late: bool = False
    last_answer: float | None = None

    def note(self, details: JobDetails) -> None:
        """Take one answer about the job's status.

        Each request is sent after the answer before it. So if an answer says that the job runs, it
        still ran when the answer before arrived.
        """
        now = time.time()
        if details.ended:
            self.seen_end = self.seen_end or now
        else:
            self.seen_running, self.last_answer = self.last_answer, now
        self.details = details

    @property
    def ended(self) -> bool:
        return self.details is not None and self.details.ended

    def marks(self, record: RunRecord) -> Marks:
        details, tasks = self.details, record.tasks
        return Marks(
            submitted=self.submitted,
            posted=self.posted,
            head_start=details.start_time if details else None,
            seen_running=self.seen_running,
            on_this_machine=record.target.get("kind") == "local",
            tasks_in_order=_in_order(tasks, details.end_time if details else None),
            start_line=(record.start or {}).get("time"),
            first_byte=None if self.joined_late else self.first_byte,
            first_task=record.tasks.get("first_start"),
            job_end=details.end_time if details else None,
            seen_end=self.seen_end,
        )


def measure(
    api: JobsApi,
    record: RunRecord,
    seen: Observation,
    last_lines: Sequence[str],
    progress: Progress,
) -> None:
    """Add the task events, the clock offset, the phases, and the cause if a node was lost.

    If the head fails, the record gets a note: a missing measurement is no reason to fail a run.
    """
    record.tasks = _task_summary(api, record, seen)
    if outcome.undecided(record, last_lines):
        progress.note("an actor went silent: asking whether its Ray node died")
        _ask_for_lost_node(api, record, seen)
    marks = seen.marks(record)
    offset = head_offset(marks)
    record.clock = offset.as_dict() if offset else {}
    progress.phases += job_phases(marks)


def _task_summary(api: JobsApi, record: RunRecord, seen: Observation) -> dict[str, Any]:
    """A summary of Ray's task events. Workers report theirs up to a second late: wait for them."""
    job_id = seen.details.job_id if seen.details else None
    try:
        rows, dropped = api.tasks(job_id) if job_id else ([], 0)
        deadline = time.monotonic() + LATE_EVENTS_SECONDS
        while job_id and _incomplete(rows) and time.monotonic() < deadline:
            time.sleep(0.1)
            rows, dropped = api.tasks(job_id)
        nodes = api.nodes()
        details = seen.details
        return strip.summarise(
            rows,
            dropped,
            nodes,
            time.time(),
            during=(details.start_time, details.end_time) if details else (None, None),
            arms=facts.timed_arms(record),
            actors=_actors(api, job_id, rows),
        )
    except (RaykitError, *ODD_ANSWERS) as error:
        reason = error.what if isinstance(error, RaykitError) else f"an odd answer ({error!r})"
        record.notes.append(f"Ray's task events could not be read: {reason}")
        return {}


def _actors(
    api: JobsApi, job_id: str | None, rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """The job's actors; asked for only if its task events do not say where an actor ran."""
    if job_id and strip.lacks_nodes(rows):
        with contextlib.suppress(RaykitError):
            return api.actors(job_id)
    return []


def _ask_for_lost_node(api: JobsApi, record: RunRecord, seen: Observation) -> None:
    """Wait until Ray reports a dead node, which it does after 15 s without a heartbeat."""
    began = (seen.details.start_time if seen.details else None) or seen.submitted
    deadline = time.monotonic() + NODE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(RaykitError, *ODD_ANSWERS):
            for node in api.nodes():
                if node["state"] == "DEAD" and (node.get("end_time_ms") or 0) / 1000 > began:
                    record.cause = outcome.NODE_LOST
                    reason = node.get("state_message") or "no reason given"
                    record.notes.append(f"the Ray node {node['node_id']} died: {reason}")
                    return
        time.sleep(0.5)


def _in_order(tasks: Mapping[str, Any], job_end: float | None) -> bool:
    """Whether the Ray nodes' clocks agree with the head's: no task began before it was created
    there, and none finished after the job."""
    begun = tasks.get("least_wait", 0.0) >= -SLACK
    last = tasks.get("last_finished")
    return bool(begun and (last is None or job_end is None or last <= job_end + SLACK))


def _incomplete(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether events of a job that has ended are still missing.

    The driver reports that a task has finished, the worker when it began: the worker's word may
    come later.
    """
    return not rows or any(
        row["state"] in LIVE_STATES or (row["state"] == "FINISHED" and not row.get("start_time_ms"))
        for row in rows
    )
