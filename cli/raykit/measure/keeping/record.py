"""A run record as data: its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from raykit.measure.keeping import shapes
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
        """The record of JSON data. Errors: ValueError naming the unknown or mistyped field."""
        shapes.check_record(data)
        phases = [Phase(**phase) for phase in data.get("phases", [])]
        return cls(**{**data, "phases": phases})
