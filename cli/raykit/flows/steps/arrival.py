"""Submits one job to Ray exactly once, and finds out whether the head has it."""

from __future__ import annotations

import contextlib
import secrets
import string
import time
from collections.abc import Mapping
from typing import Any

from raykit.errors import ConflictError, JobsApiError, RaykitError
from raykit.measure import run_ids
from raykit.submission.answers import LostConnectionError
from raykit.submission.jobs_api import JobDetails, JobsApi

PAYLOAD_KEY = "raykit-payload"
"""In a job's metadata: a hash of the payload. Another job with the same id has another hash."""

RUN_KEY, FOLDER_KEY = "raykit-run", "raykit-folder"
"""In a job's metadata: the id of its run, and the folder from which it was submitted."""


MARKS = string.digits + string.ascii_lowercase
"""Four of them make 1.7 million marks: many runs of a job may begin within one second."""


def new_id(name: str, started: float | None = None) -> str:
    """A run id: the UTC start to the second, the job's name, and four random characters.

    started: Unix seconds; None: now.
    """
    mark = "".join(secrets.choice(MARKS) for _ in range(4))
    return run_ids.new(name, time.time() if started is None else started, mark)


class Arrival:
    """The submission of a job to a head.

    arrived: whether the head has the job; None while that is unknown. needs_us: whether the job
    can only start while raykit is there. stop_asked: whether anybody was asked to end it.
    """

    needs_us = False
    stop_asked = False

    def __init__(self, api: JobsApi | None, submission_id: str) -> None:
        self.head, self.submission_id = api, submission_id
        self.payload_hash: str | None = None
        self.arrived: bool | None = False

    @property
    def api(self) -> JobsApi:
        """The head's Jobs API. Errors: JobsApiError (6) if there is no head yet."""
        if self.head is None:
            raise JobsApiError(f"the head of the job {self.submission_id} is not up yet")
        return self.head

    def post(self, payload: Mapping[str, Any], seconds: float) -> JobDetails | None:
        """Submit the job; return its details if the same one was submitted before, else None.

        If the reply is lost, ask for the job, for at most `seconds`.

        Errors: ConflictError (8) if the id exists with another payload; JobsApiError (6).
        """
        self.payload_hash = payload["metadata"].get(PAYLOAD_KEY)
        try:
            self.arrived = None
            self.api.submit(payload)
            self.arrived = True
        except LostConnectionError:
            if not self.find_out(seconds):
                raise
        except ConflictError:
            before = self.api.details(self.submission_id)
            self.arrived = self._is_ours(before)
            if not self.arrived:
                raise
            return before
        except RaykitError:
            self.arrived = False
            raise
        return None

    def find_out(self, seconds: float) -> bool:
        """Ask for up to `seconds` whether the head has the job; set and return `arrived`."""
        deadline = time.monotonic() + seconds
        while not self.arrived and time.monotonic() < deadline:
            self.arrived = None
            with contextlib.suppress(LostConnectionError):
                self.arrived = self._is_ours(self.api.details(self.submission_id))
            if not self.arrived:
                time.sleep(0.2)
        return bool(self.arrived)

    def stop(self, seconds: float) -> JobDetails | None:
        """Stop the job; its last state after at most so many seconds, None if there is no job."""
        self.stop_asked = True
        return stop_and_wait(self.api, self.submission_id, seconds)

    def _is_ours(self, details: JobDetails | None) -> bool:
        """Whether this is our job, not another one with the same id."""
        return details is not None and details.metadata.get(PAYLOAD_KEY) == self.payload_hash


def stop_and_wait(api: JobsApi, submission_id: str, seconds: float) -> JobDetails | None:
    """Stop a job and wait up to `seconds` until it has ended.

    Returns its last state, None if the head no longer knows it. Only the status counts: Ray also
    says that it stopped a PENDING job, which then stays PENDING.
    """
    api.stop(submission_id)
    deadline = time.monotonic() + seconds
    while True:
        details = api.details(submission_id)
        if details is None or details.ended or time.monotonic() > deadline:
            return details
        time.sleep(0.1)
