"""Handing one job to Ray exactly once, and finding out whether it got there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from raykit.errors import ConflictError, RaykitError
from raykit.submission.answers import LostConnectionError
from raykit.submission.jobs_api import JobDetails, JobsApi

PAYLOAD_KEY = "raykit-payload"
"""In a job's metadata: a hash of what was submitted, which tells it from another of the same id."""


class Arrival:
    """A job on its way to a head. known: whether the head has it, None while that is unknown."""

    def __init__(self, api: JobsApi, submission_id: str) -> None:
        self.api, self.submission_id = api, submission_id
        self.payload_hash: str | None = None
        self.known: bool | None = False

    def post(self, payload: Mapping[str, Any], seconds: float) -> JobDetails | None:
        """Submit; the job's details where the same one was submitted before.

        A reply that got lost is replaced by asking for the job, at most so many seconds.

        Errors: ConflictError (8) where the id exists with another payload.
        """
        self.payload_hash = payload["metadata"].get(PAYLOAD_KEY)
        try:
            self.known = None
            self.api.submit(payload)
            self.known = True
        except LostConnectionError:
            if not self.find_out(seconds):
                raise
        except ConflictError:
            before = self.api.details(self.submission_id)
            self.known = self._is_ours(before)
            if not self.known:
                raise
            return before
        except RaykitError:
            self.known = False
            raise
        return None

    def find_out(self, seconds: float) -> bool:
        """Ask whether a submission without an answer reached Ray; sets `known`."""
        deadline = time.monotonic() + seconds
        while not self.known and time.monotonic() < deadline:
            self.known = None
            with contextlib.suppress(LostConnectionError):
                self.known = self._is_ours(self.api.details(self.submission_id))
            if not self.known:
                time.sleep(0.2)
        return bool(self.known)

    def _is_ours(self, details: JobDetails | None) -> bool:
        """Whether this is the job that was submitted, not another one of the same id."""
        return details is not None and details.metadata.get(PAYLOAD_KEY) == self.payload_hash
