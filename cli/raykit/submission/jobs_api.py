"""Ray Job Submission over REST, typed: one request a call, and no answer is taken on trust.

What a method returns was checked: its texts are texts, its numbers finite, its times within the
calendar, its ids plain names. An answer that does not fit is a NotRayError (6).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from raykit.errors import ConflictError, JobsApiError, UsageError
from raykit.submission.answers import (
    MOST_BYTES,
    Answer,
    Field,
    LostConnectionError,
    Row,
    amounts,
    as_list,
    as_object,
    flag,
    moment,
    needed_text,
    not_ray,
    one_line,
    seconds,
    text,
    texts,
    whole,
)
from raykit.submission.transport import Transport

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
MOST_ROWS = 10_000
"""Ray's dashboard refuses to return more rows of its state API than this."""
DETAILS_BYTES, ROWS_BYTES = 8 << 20, 128 << 20
SUBMIT_SECONDS = 120.0
PLAIN_NAME = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}")

Parsed = TypeVar("Parsed")


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
    def parse(cls, data: object) -> JobDetails:
        """The details in Ray's JSON. Errors: ValueError where it is not of Ray's shape."""
        job = as_object(data)
        driver = as_object(job.get("driver_info") or {})
        return cls(
            status=one_line(needed_text(job, "status")),
            submission_id=text(job, "submission_id"),
            job_id=text(job, "job_id") or text(driver, "id"),
            entrypoint=text(job, "entrypoint") or "",
            message=text(job, "message") or "",
            error_type=text(job, "error_type"),
            start_time=seconds(job, "start_time"),
            end_time=seconds(job, "end_time"),
            metadata=texts(job, "metadata") or {},
            driver_node_id=text(job, "driver_node_id"),
            driver_exit_code=whole(job, "driver_exit_code"),
        )


class JobsApi:
    """The Jobs and state APIs of one Ray head."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def version(self) -> Mapping[str, str]:
        """`version`, `ray_version`, `ray_commit` and more.

        Errors: NotRayError (6) where something else than Ray answers.
        """
        answer = self.transport.get("api/version")
        if answer.status_code == 429:
            raise self.transport.refusal(answer)
        if answer.status_code != 200:
            raise not_ray(answer.url, f"{answer.asked}: {answer.summary}")
        return self._parsed(answer, _version)

    def authentication_mode(self) -> str:
        """`token` or `disabled`. Heads before Ray 2.52 know no such address: `disabled`."""
        answer = self.transport.get("api/authentication_mode")
        if answer.status_code != 200:
            return "disabled"
        return self._parsed(
            answer, lambda data: text(as_object(data), "authentication_mode") or "disabled"
        )

    def submit(self, payload: Mapping[str, object]) -> None:
        """POST one job; `payload` has `entrypoint`, `submission_id` and what else Ray takes.

        Errors: ConflictError (8) where the submission id exists, UsageError (2) where the payload
        is not Unicode text, JobsApiError (6) otherwise.
        """
        answer = self.transport.request(
            "POST",
            "api/jobs/",
            content=_encoded(payload),
            headers={"Content-Type": "application/json"},
            timeout=SUBMIT_SECONDS,
        )
        if answer.status_code == 200:
            return
        if "already exists" in answer.text:
            raise ConflictError(
                f"submission id {payload['submission_id']} exists already",
                next=f"raykit attach {payload['submission_id']}",
            )
        raise self.transport.refusal(answer)

    def details(self, submission_id: str, *, once: bool = False) -> JobDetails | None:
        """One job, or None where this head does not know it, which it says itself.

        once: a connection that breaks is an error at once.

        Errors: LostConnectionError (6) where the head fails, as it does while it starts anew, or
        where something else than the head says that there is nothing, such as an ingress.
        """
        path = f"api/jobs/{_quoted(submission_id)}"
        if once:
            answer = self.transport.request("GET", path, most=DETAILS_BYTES)
        else:
            answer = self.transport.get(path, most=DETAILS_BYTES)
        if answer.status_code == 404:
            self._confirm_unknown(answer)
            return None
        if answer.status_code >= 500:
            refused = self.transport.refusal(answer)
            raise LostConnectionError(refused.what, evidence=refused.evidence, next=refused.next)
        if answer.status_code != 200:
            raise self.transport.refusal(answer)
        return self._parsed(answer, lambda data: _details_of(submission_id, data))

    def jobs(self) -> list[JobDetails]:
        """All jobs that the head knows, whoever submitted them."""
        answer = self._get("api/jobs/", most=MOST_BYTES)
        return self._parsed(answer, lambda data: list(map(JobDetails.parse, as_list(data))))

    def stop(self, submission_id: str) -> bool:
        """Ask for a stop; True where Ray says that it stopped something."""
        answer = self.transport.request("POST", f"api/jobs/{_quoted(submission_id)}/stop")
        if answer.status_code != 200:
            raise self.transport.refusal(answer)
        return self._parsed(answer, lambda data: as_object(data).get("stopped") is True)

    @contextlib.contextmanager
    def log_stream(
        self, node_id: str, submission_id: str
    ) -> Iterator[tuple[httpx2.Response, Iterator[bytes]]]:
        """The driver log's raw bytes from the first on, while they are written. Never ends."""
        params = {**_driver_log(node_id, submission_id), "interval": "0.1"}
        with self.transport.stream("api/v0/logs/stream", params=params, endless=True) as opened:
            yield opened

    @contextlib.contextmanager
    def log_file(self, node_id: str, submission_id: str) -> Iterator[Iterator[bytes]]:
        """The driver log's raw bytes as they are now."""
        params = _driver_log(node_id, submission_id)
        with self.transport.stream("api/v0/logs/file", params=params) as (_, chunks):
            yield chunks

    def lossy_log(self, submission_id: str) -> bytes:
        """The log as text: CR and CRLF become LF, and bytes that are not UTF-8 make Ray fail."""
        answer = self._get(f"api/jobs/{_quoted(submission_id)}/logs", most=ROWS_BYTES)
        return self._parsed(answer, lambda data: text(as_object(data), "logs") or "").encode()

    def tasks(self, job_id: str) -> tuple[list[Row], int]:
        """Task rows of one Ray job (fields: `TASK`), and how many tasks Ray did not return."""
        return self._rows("tasks", TASK, {**_of_job(job_id), "detail": "1"})

    def actors(self, job_id: str) -> list[Row]:
        """Actors of one Ray job (fields: `ACTOR`)."""
        return self._rows("actors", ACTOR, _of_job(job_id))[0]

    def nodes(self) -> list[Row]:
        """Ray nodes, also dead ones (fields: `NODE`)."""
        return self._rows("nodes", NODE, {"detail": "1"})[0]

    def _get(self, path: str, *, most: int, params: Mapping[str, str] | None = None) -> Answer:
        answer = self.transport.get(path, params=params, most=most)
        if answer.status_code != 200:
            raise self.transport.refusal(answer)
        return answer

    def _rows(
        self, kind: str, fields: Mapping[str, Field], params: Mapping[str, str]
    ) -> tuple[list[Row], int]:
        params = {**params, "limit": str(MOST_ROWS)}
        answer = self._get(f"api/v0/{kind}", params=params, most=ROWS_BYTES)
        rows, dropped, warnings = self._parsed(answer, lambda data: _listed(data, fields))
        if warnings and not rows:
            raise JobsApiError(f"Ray could not list its {kind}", evidence=[one_line(warnings)])
        return rows, dropped

    def _parsed(self, answer: Answer, parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` makes of an answer's JSON. Errors: NotRayError (6) where it does not fit."""
        data = self.transport.parsed(answer)
        try:
            return parse(data)
        except ValueError as error:
            evidence = f"{answer.asked}: {error}; {answer.summary}"
            raise not_ray(answer.url, evidence) from error

    def _confirm_unknown(self, answer: Answer) -> None:
        """Errors: LostConnectionError (6) unless it was a Ray head that said 404."""
        if "does not exist" in answer.text:
            self.version()
            return
        raise LostConnectionError(
            f"{answer.url} finds no Ray head",
            evidence=[answer.asked, answer.summary],
            next="raykit status shows whether the head is up",
        )


def is_plain_name(name: str) -> bool:
    """Whether an id can name a file or folder: no separator, no control character, no dot first."""
    return PLAIN_NAME.fullmatch(name) is not None


def _details_of(asked: str, data: object) -> JobDetails:
    details = JobDetails.parse(data)
    if asked not in (details.submission_id, details.job_id):
        raise ValueError("the answer is about another job")
    if details.submission_id not in (None, asked) and not is_plain_name(details.submission_id):
        raise ValueError("the submission id is no plain name")
    return details


def _version(data: object) -> Mapping[str, str]:
    known = {
        one_line(key): one_line(item)
        for key, item in as_object(data).items()
        if isinstance(item, str)
    }
    if "ray_version" not in known:
        raise ValueError("no ray_version")
    return known


def _listed(data: object, fields: Mapping[str, Field]) -> tuple[list[Row], int, str]:
    """Rows of the state API, how many of those that match are missing, and Ray's warnings.

    Ray cuts twice: its data source returns `num_after_truncation` of `total` rows, and of the
    `num_filtered` that match the filters the dashboard returns no more than its limit.
    """
    found = as_object(as_object(as_object(data).get("data")).get("result"))
    rows: list[Row] = [
        {name: check(row, name) for name, check in fields.items()}
        for row in map(as_object, as_list(found.get("result")))
    ]
    matching = whole(found, "num_filtered") or 0
    sent = whole(found, "num_after_truncation")
    total = whole(found, "total")
    cut = total - sent if total is not None and sent is not None else 0
    warnings = found.get("warnings")
    said = " ".join(map(str, warnings)) if isinstance(warnings, list) else ""
    return rows, max(cut, 0) + max(matching - len(rows), 0), said


def _of_job(job_id: str) -> dict[str, str]:
    return {"filter_keys": "job_id", "filter_predicates": "=", "filter_values": job_id}


def _driver_log(node_id: str, submission_id: str) -> dict[str, str]:
    name = f"job-driver-{submission_id}.log"
    return {"node_id": node_id, "filename": name, "lines": "-1"}


def _quoted(submission_id: str) -> str:
    return quote(submission_id, safe="", errors="replace")


def _encoded(payload: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise UsageError(
            "the job's command, environment or options hold what JSON cannot carry",
            evidence=[one_line(str(error).encode("ascii", "backslashreplace").decode())],
            next="give them as UTF-8 text and finite numbers",
        ) from error


TASK: Mapping[str, Field] = {
    **dict.fromkeys(("task_id", "state", "type"), needed_text),
    **dict.fromkeys(("name", "func_or_class_name", "node_id", "worker_id", "actor_id"), text),
    **dict.fromkeys(("job_id", "parent_task_id", "error_type", "error_message"), text),
    **dict.fromkeys(("creation_time_ms", "start_time_ms", "end_time_ms"), moment),
    **dict.fromkeys(("attempt_number", "worker_pid"), whole),
    "required_resources": amounts,
}
"""The fields of a task row that raykit hands on; the others are left out."""

ACTOR: Mapping[str, Field] = {
    **dict.fromkeys(("actor_id", "state"), needed_text),
    **dict.fromkeys(("class_name", "name", "node_id", "job_id"), text),
    "pid": whole,
}
"""The fields of an actor row that raykit hands on; the others are left out."""

NODE: Mapping[str, Field] = {
    **dict.fromkeys(("node_id", "state"), needed_text),
    **dict.fromkeys(("node_ip", "node_name", "state_message"), text),
    **dict.fromkeys(("start_time_ms", "end_time_ms"), moment),
    "is_head_node": flag,
    "resources_total": amounts,
    "labels": texts,
}
"""The fields of a node row that raykit hands on; the others are left out."""
