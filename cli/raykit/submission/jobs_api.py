"""Ray Job Submission over REST, typed; every call is one request (Ray 2.60, facts in README)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from raykit.errors import ConflictError
from raykit.submission.transport import LostConnectionError, Transport, not_ray

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
MOST_ROWS = 10_000
"""Ray's dashboard refuses to return more rows of its state API than this."""


@dataclass(frozen=True)
class JobDetails:
    """What Ray knows of one job; times are Unix seconds on the head's clock."""

    status: str
    submission_id: str | None
    job_id: str | None
    entrypoint: str
    message: str
    error_type: str | None
    start_time: float | None
    end_time: float | None
    metadata: Mapping[str, str]
    driver_node_id: str | None
    driver_exit_code: int | None

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobDetails:
        driver = data.get("driver_info") or {}
        return cls(
            status=data["status"],
            submission_id=data.get("submission_id"),
            job_id=data.get("job_id") or driver.get("id"),
            entrypoint=data.get("entrypoint") or "",
            message=data.get("message") or "",
            error_type=data.get("error_type"),
            start_time=_seconds(data.get("start_time")),
            end_time=_seconds(data.get("end_time")),
            metadata=data.get("metadata") or {},
            driver_node_id=data.get("driver_node_id"),
            driver_exit_code=data.get("driver_exit_code"),
        )


class JobsApi:
    """The Jobs and state APIs of one Ray head."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def version(self) -> Mapping[str, str]:
        """`version`, `ray_version`, `ray_commit` and more.

        Errors: JobsApiError (6) where something else than Ray answers.
        """
        answer = self.transport.get_json("api/version")
        if not isinstance(answer, dict) or "ray_version" not in answer:
            raise not_ray(self.transport.endpoint.url, f"GET /api/version: {answer}")
        return answer

    def authentication_mode(self) -> str:
        """`token` or `disabled`; open to everyone. Heads before Ray 2.52 know no such address."""
        response = self.transport.get("api/authentication_mode")
        if response.status_code != 200:
            return "disabled"
        return str(self.transport.parsed(response).get("authentication_mode", "disabled"))

    def submit(self, payload: Mapping[str, object]) -> None:
        """POST one job; `payload` has `entrypoint`, `submission_id` and what else Ray takes.

        Errors: ConflictError (8) where the submission id exists, JobsApiError (6) otherwise.
        """
        response = self.transport.request("POST", "api/jobs/", json=payload, timeout=120)
        if response.status_code == 200:
            return
        if "already exists" in response.text:
            raise ConflictError(
                f"submission id {payload['submission_id']} exists already",
                next=f"raykit attach {payload['submission_id']}",
            )
        raise self.transport.refusal(response)

    def details(self, submission_id: str, *, once: bool = False) -> JobDetails | None:
        """One job, or None where this head does not know it.

        once: a connection that breaks is an error at once.

        Errors: LostConnectionError (6) where the head fails, as it does while it starts anew.
        """
        path = _path(submission_id)
        response = self.transport.request("GET", path) if once else self.transport.get(path)
        if response.status_code == 404:
            return None
        if response.status_code >= 500:
            refused = self.transport.refusal(response)
            raise LostConnectionError(refused.what, evidence=refused.evidence, next=refused.next)
        if response.status_code != 200:
            raise self.transport.refusal(response)
        data = self.transport.parsed(response)
        if not isinstance(data, dict) or not isinstance(data.get("status"), str):
            raise not_ray(self.transport.endpoint.url, str(data))
        return JobDetails.parse(data)

    def jobs(self) -> list[JobDetails]:
        """All jobs that the head knows, whoever submitted them."""
        return [JobDetails.parse(job) for job in self.transport.get_json("api/jobs/")]

    def stop(self, submission_id: str) -> bool:
        """Ask for a stop; True where Ray says that it stopped something."""
        response = self.transport.request("POST", _path(submission_id, "/stop"))
        if response.status_code != 200:
            raise self.transport.refusal(response)
        return bool(self.transport.parsed(response).get("stopped"))

    @contextlib.contextmanager
    def log_stream(
        self, node_id: str, submission_id: str
    ) -> Iterator[tuple[httpx2.Response, Iterator[bytes]]]:
        """The driver log's raw bytes from the first on, while they are written. Never ends."""
        params = {**_driver_log(node_id, submission_id), "interval": "0.1"}
        with self.transport.stream("api/v0/logs/stream", params=params, endless=True) as body:
            yield body, body.iter_bytes()

    @contextlib.contextmanager
    def log_file(self, node_id: str, submission_id: str) -> Iterator[Iterator[bytes]]:
        """The driver log's raw bytes as they are now."""
        params = _driver_log(node_id, submission_id)
        with self.transport.stream("api/v0/logs/file", params=params) as body:
            yield body.iter_bytes()

    def lossy_log(self, submission_id: str) -> bytes:
        """The log as text: CR and CRLF become LF, and bytes that are not UTF-8 make Ray fail."""
        answer = self.transport.get_json(_path(submission_id, "/logs"))
        return str(answer.get("logs", "")).encode()

    def tasks(self, job_id: str) -> tuple[list[Mapping[str, Any]], int]:
        """Task rows of one Ray job, and how many Ray did not return."""
        return self._rows("tasks", {**_of_job(job_id), "detail": "1", "limit": str(MOST_ROWS)})

    def actors(self, job_id: str) -> list[Mapping[str, Any]]:
        """Actors of one Ray job with `actor_id` and `node_id`."""
        return self._rows("actors", {**_of_job(job_id), "limit": str(MOST_ROWS)})[0]

    def nodes(self) -> list[Mapping[str, Any]]:
        """Ray nodes, also ended ones: `node_id`, `state`, `resources_total`, start and end."""
        return self._rows("nodes", {"detail": "1", "limit": str(MOST_ROWS)})[0]

    def _rows(self, kind: str, params: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], int]:
        answer = self.transport.get_json(f"api/v0/{kind}", params=params)
        found = answer["data"]["result"]
        rows: Sequence[Mapping[str, Any]] = found["result"]
        total = max(found.get("num_filtered") or 0, len(rows))
        return list(rows), total - len(rows)


def _of_job(job_id: str) -> dict[str, str]:
    return {"filter_keys": "job_id", "filter_predicates": "=", "filter_values": job_id}


def _path(submission_id: str, rest: str = "") -> str:
    """The address of one job; an id that others chose may hold any character."""
    return f"api/jobs/{quote(submission_id, safe='', errors='replace')}{rest}"


def _driver_log(node_id: str, submission_id: str) -> dict[str, str]:
    name = f"job-driver-{submission_id}.log"
    return {"node_id": node_id, "filename": name, "lines": "-1"}


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None
