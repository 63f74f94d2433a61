"""Ray Job Submission over REST: one method for each request, with typed and checked answers.

In what a method returns, texts are texts, numbers are finite, times are before the year 10000, and
ids are plain names. Any other answer is a NotRayError (6).
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
    LostConnectionError,
    not_ray,
    one_line,
)
from raykit.submission.answers.fields import (
    ACTOR,
    NODE,
    TASK,
    Field,
    Row,
    as_list,
    as_object,
    listing,
    required_text,
    seconds,
    text,
    texts,
    whole,
)
from raykit.submission.transport import Transport

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
MOST_ROWS = 10_000
"""The most rows of its state API that Ray's dashboard returns."""
DETAILS_BYTES, ROWS_BYTES = 8 << 20, 128 << 20
SUBMIT_SECONDS = 120.0
PLAIN_NAME = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}")

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class JobDetails:
    """What Ray knows about one job; times are Unix seconds on the head's clock."""

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
        """The details in Ray's JSON. Errors: ValueError if a field is missing or mistyped."""
        job = as_object(data)
        driver = as_object(job.get("driver_info") or {})
        return cls(
            status=one_line(required_text(job, "status")),
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
        """The head's versions: `version`, `ray_version`, `ray_commit` and more.

        Errors: NotRayError (6) if the server is no Ray head.
        """
        answer = self.transport.get("api/version")
        if answer.status_code == 429:
            raise self.transport.refusal(answer)
        if answer.status_code != 200:
            raise not_ray(answer.url, f"{answer.request}: {answer.summary}")
        return self._parsed(answer, _version)

    def authentication_mode(self) -> str:
        """`token` or `disabled`. Heads before Ray 2.52 do not have this address: `disabled`."""
        answer = self.transport.get("api/authentication_mode")
        if answer.status_code != 200:
            return "disabled"
        return self._parsed(
            answer, lambda data: text(as_object(data), "authentication_mode") or "disabled"
        )

    def submit(self, payload: Mapping[str, object]) -> None:
        """Submit one job. payload: `entrypoint`, `submission_id` and Ray's other fields.

        Errors: ConflictError (8) if the submission id exists, UsageError (2) if the payload is not
        Unicode text, JobsApiError (6) otherwise.
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
        """One job; None if the head itself says that it does not know the job.

        once: do not repeat the request if its connection breaks.

        Errors: LostConnectionError (6) if the head fails, as it does while it restarts, or if
        another server, such as an ingress, answers 404.
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
        """All jobs that the head knows, also those of other users."""
        answer = self._get("api/jobs/", most=MOST_BYTES)
        return self._parsed(answer, lambda data: list(map(JobDetails.parse, as_list(data))))

    def stop(self, submission_id: str) -> bool:
        """Ask Ray to stop a job; return whether Ray says that it stopped it."""
        answer = self.transport.request("POST", f"api/jobs/{_quoted(submission_id)}/stop")
        if answer.status_code != 200:
            raise self.transport.refusal(answer)
        return self._parsed(answer, lambda data: as_object(data).get("stopped") is True)

    @contextlib.contextmanager
    def log_stream(
        self, node_id: str, submission_id: str
    ) -> Iterator[tuple[httpx2.Response, Iterator[bytes]]]:
        """The driver log's bytes from the first one on, while they are written. Never ends."""
        params = {**_log(node_id, _driver_log(submission_id)), "interval": "0.1"}
        with self.transport.stream("api/v0/logs/stream", params=params, endless=True) as opened:
            yield opened

    def log_file(
        self, node_id: str, submission_id: str
    ) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """The driver log's bytes, as far as they are written now."""
        return self.log_end(node_id, _driver_log(submission_id))

    @contextlib.contextmanager
    def log_end(self, node_id: str, filename: str, lines: int = -1) -> Iterator[Iterator[bytes]]:
        """The last lines of one of Ray's log files of a node, as far as they are written now.

        lines: -1: all.
        """
        params = _log(node_id, filename, lines)
        with self.transport.stream("api/v0/logs/file", params=params) as (_, chunks):
            yield chunks

    def lossy_log(self, submission_id: str) -> bytes:
        """The log as Ray's text: CR and CRLF become LF; Ray fails if a byte is not UTF-8."""
        answer = self._get(f"api/jobs/{_quoted(submission_id)}/logs", most=ROWS_BYTES)
        return self._parsed(answer, lambda data: text(as_object(data), "logs") or "").encode()

    def tasks(self, job_id: str) -> tuple[list[Row], int]:
        """Task rows of one Ray job (fields: `TASK`), and the number of tasks that Ray left out."""
        return self._rows("tasks", TASK, {**_of_job(job_id), "detail": "1"})

    def tasks_by_state(self, predicate: str, state: str, *, whole: bool = False) -> list[Row]:
        """Task rows of all jobs whose state is (`=`) or is not (`!=`) this one (fields: `TASK`).

        whole: also an error if Ray leaves rows out.
        """
        wanted = {**_with_state(predicate, state), "detail": "1"}
        return self._rows("tasks", TASK, wanted, whole=whole)[0]

    def living_actors(self) -> list[Row]:
        """All actors that are not dead (fields: `ACTOR`); an error if Ray leaves some out."""
        return self._rows("actors", ACTOR, _with_state("!=", "DEAD"), whole=True)[0]

    def actors(self, job_id: str | None = None, *, detail: bool = False) -> list[Row]:
        """Actors of one Ray job, or of all (fields: `ACTOR`). detail: with `required_resources`."""
        params = (_of_job(job_id) if job_id else {}) | ({"detail": "1"} if detail else {})
        return self._rows("actors", ACTOR, params)[0]

    def nodes(self) -> list[Row]:
        """All Ray nodes, including dead ones (fields: `NODE`)."""
        return self._rows("nodes", NODE, {"detail": "1"})[0]

    def as_it_is(self, path: str, *, most: int, params: Mapping[str, str] | None = None) -> Any:
        """The JSON that answers a GET, unchecked: for evidence. most: bytes it may have."""
        return self.transport.parsed(self._get(path, most=most, params=params))

    def _get(self, path: str, *, most: int, params: Mapping[str, str] | None = None) -> Answer:
        answer = self.transport.get(path, params=params, most=most)
        if answer.status_code != 200:
            raise self.transport.refusal(answer)
        return answer

    def _rows(
        self,
        kind: str,
        fields: Mapping[str, Field],
        params: Mapping[str, str],
        *,
        whole: bool = False,
    ) -> tuple[list[Row], int]:
        params = {**params, "limit": str(MOST_ROWS)}
        answer = self._get(f"api/v0/{kind}", params=params, most=ROWS_BYTES)
        rows, dropped, warnings = self._parsed(answer, lambda data: listing(data, fields))
        if warnings and not rows:
            raise JobsApiError(f"Ray could not list its {kind}", evidence=[one_line(warnings)])
        if whole and dropped:
            raise JobsApiError(f"Ray lists {len(rows)} of its {kind} and leaves {dropped} out")
        return rows, dropped

    def _parsed(self, answer: Answer, parse: Callable[[Any], Parsed]) -> Parsed:
        """What `parse` returns for an answer's JSON. Errors: NotRayError (6) if it cannot."""
        data = self.transport.parsed(answer)
        try:
            return parse(data)
        except ValueError as error:
            evidence = f"{answer.request}: {error}; {answer.summary}"
            raise not_ray(answer.url, evidence) from error

    def _confirm_unknown(self, answer: Answer) -> None:
        """Errors: LostConnectionError (6) if it was not a Ray head that answered 404."""
        if "does not exist" in answer.text:
            self.version()
            return
        raise LostConnectionError(
            f"{answer.url} finds no Ray head",
            evidence=[answer.request, answer.summary],
            next="raykit status shows whether the head is up",
        )


def is_plain_name(name: str) -> bool:
    """Whether an id can be a file name: no separator, no control character, no leading dot."""
    return PLAIN_NAME.fullmatch(name) is not None


def _details_of(wanted_id: str, data: object) -> JobDetails:
    details = JobDetails.parse(data)
    if wanted_id not in (details.submission_id, details.job_id):
        raise ValueError("the answer is about another job")
    if details.submission_id not in (None, wanted_id) and not is_plain_name(details.submission_id):
        raise ValueError("the submission id is no plain name")
    return details


def _version(data: object) -> Mapping[str, str]:
    versions = {
        one_line(key): one_line(item)
        for key, item in as_object(data).items()
        if isinstance(item, str)
    }
    if "ray_version" not in versions:
        raise ValueError("no ray_version")
    return versions


def _with_state(predicate: str, state: str) -> dict[str, str]:
    return {"filter_keys": "state", "filter_predicates": predicate, "filter_values": state}


def _of_job(job_id: str) -> dict[str, str]:
    return {"filter_keys": "job_id", "filter_predicates": "=", "filter_values": job_id}


def _driver_log(submission_id: str) -> str:
    return f"job-driver-{submission_id}.log"


def _log(node_id: str, filename: str, lines: int = -1) -> dict[str, str]:
    return {"node_id": node_id, "filename": filename, "lines": str(lines)}


def _quoted(submission_id: str) -> str:
    return quote(submission_id, safe="", errors="replace")


def _encoded(payload: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise UsageError(
            "the job's command, environment or options cannot be sent as JSON",
            evidence=[one_line(str(error).encode("ascii", "backslashreplace").decode())],
            next="give them as UTF-8 text and finite numbers",
        ) from error
