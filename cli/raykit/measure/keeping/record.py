"""A run record as data: its fields, and the check of their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from raykit.phases import Phase

SCHEMA = 1
UNFINISHED, NOT_SUBMITTED = "UNFINISHED", "NOT_SUBMITTED"


@dataclass
class RunRecord:
    """One run. Times are Unix seconds, lengths seconds; statuses are Ray's words.

    status: Ray's job status; UNFINISHED if raykit did not see the end, NOT_SUBMITTED if Ray did
    not accept the job.
    started: when the submission began; ended: when raykit had seen its end, or None.
    target: where it ran and why there; machine: CPU model and count of raykit's own machine;
    cluster: its Kubernetes nodes (name, boot id, CPU limits), image and its digest, or empty;
    phases: raykit's own; spans, results, errors: the job's, from its timing lines;
    tasks: a summary of Ray's task events (strip.summarise); log: bytes, sha256 and source.
    clock: how far the head's clock is ahead of ours, if that is known (clocks.Offset).
    cause: why the job did not succeed, a word of measure.outcome, or None.
    """

    id: str
    submission_id: str
    job: dict[str, Any]
    target: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, Any]
    started: float
    status: str = UNFINISHED
    message: str = ""
    error_type: str | None = None
    driver_exit_code: int | None = None
    exit_code: int | None = None
    ended: float | None = None
    phases: list[Phase] = field(default_factory=list)
    start: dict[str, Any] | None = None
    spans: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    clock: dict[str, Any] = field(default_factory=dict)
    cause: str | None = None
    schema: int = SCHEMA

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Add one timing event of the job."""
        body = {key: value for key, value in event.items() if key not in ("raykit", "event")}
        match event["event"]:
            case "start":
                self.start = body
            case "span":
                self.spans.append(body)
            case "result":
                self.results.append(body)
            case "error":
                self.errors.append(body)

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON data, `schema` first."""
        data = asdict(self)
        return {"schema": data.pop("schema"), **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunRecord:
        """The record of JSON data. Errors: ValueError for unknown or mistyped fields, by name."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ValueError(f"unknown fields {', '.join(unknown)}")
        _check_shape(data)
        phases = [Phase(**phase) for phase in data.get("phases", [])]
        return cls(**{**data, "phases": phases})


def _check_shape(data: Mapping[str, Any]) -> None:
    """Errors: ValueError if fields have other types than a record's: the record is damaged."""
    wrong = [
        name for name, kind in _KINDS.items() if name in data and not isinstance(data[name], kind)
    ]
    job = data.get("job")
    if isinstance(job, dict) and not {"name", "arguments"} <= set(job):
        wrong.append("job")
    if wrong:
        raise ValueError(f"unusable fields {', '.join(wrong)}")


_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "submission_id", "status", "message"), str),
    **dict.fromkeys(
        ("job", "target", "versions", "machine", "cluster", "tasks", "log", "clock"), dict
    ),
    **dict.fromkeys(("phases", "spans", "results", "errors", "notes"), list),
    "started": (int, float),
    "ended": (int, float, type(None)),
    "start": (dict, type(None)),
}
