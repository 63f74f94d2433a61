"""Runs as OpenTelemetry traces: the JSON that a collector takes at `/v1/traces`.

One trace a run. Its root span is the run; raykit's phases are below it, the job's spans below the
phase in which they lie, and the busy times of CPUs and actors below the span in which they lie.
Ids come from the run's id: exporting twice gives the same trace.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from raykit import versions
from raykit.measure.records import RunRecord
from raykit.measure.traces.timeline import Slice, parents, timeline

INTERNAL = 1
OK, ERROR, UNSET = 1, 2, 0
NANOSECONDS = 10**9
SMALLEST, LARGEST = -(2**63), 2**63 - 1

Attribute = dict[str, Any]


def traces(records: Sequence[RunRecord]) -> dict[str, Any]:
    """The traces of some runs, as the protobuf message TracesData in its JSON form."""
    return {"resourceSpans": [_resource(record) for record in records]}


def _resource(record: RunRecord) -> dict[str, Any]:
    target, cluster = record.target, record.cluster
    about = {
        "service.name": "raykit",
        "service.version": record.versions.get("raykit"),
        "ray.version": record.versions.get("ray"),
        "raykit.target": target.get("kind"),
        "k8s.namespace.name": target.get("namespace"),
        "raykit.cluster": target.get("cluster") or cluster.get("name"),
    }
    scope = {"name": "raykit", "version": versions.RAYKIT}
    spans = list(_spans(record))
    return {
        "resource": {"attributes": _attributes(about)},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }


def _spans(record: RunRecord) -> Iterator[dict[str, Any]]:
    line = timeline(record)
    spans = sorted(line.spans, key=lambda each: -each.seconds)
    tasks = [
        replace(each, about={**each.about, "node": lane.node, "lane": lane.name})
        for lane in line.lanes
        for each in lane.slices
    ]
    above = parents([*spans, *tasks], [*line.phases, *spans])
    kinds = [("run", [line.run]), ("phase", line.phases), ("span", spans), ("task", tasks)]
    ids: dict[int, str] = {}
    for kind, slices in kinds:
        for each in slices:
            ids[id(each)] = _id(f"{record.id}/{len(ids)}", 16)
            outer = None if each is line.run else above.get(id(each), line.run)
            yield {
                "traceId": _id(record.id, 32),
                "spanId": ids[id(each)],
                **({"parentSpanId": ids[id(outer)]} if outer else {}),
                "name": each.name,
                "kind": INTERNAL,
                "startTimeUnixNano": _nanoseconds(each.start),
                "endTimeUnixNano": _nanoseconds(max(each.end, each.start)),
                "attributes": _attributes(_prefixed(each.about, kind)),
                "status": _status_of_run(record) if outer is None else _status_of(each),
            }


def _status_of_run(record: RunRecord) -> dict[str, Any]:
    """How the run went, with Ray's message where it did not go well."""
    if record.exit_code is None:
        return {"code": UNSET}
    if record.exit_code == 0:
        return {"code": OK}
    return {"code": ERROR, "message": record.message or record.cause or record.status}


def _status_of(each: Slice) -> dict[str, Any]:
    return {"code": ERROR if each.about.get("state") == "FAILED" else UNSET}


def _prefixed(about: Mapping[str, Any], what: str) -> dict[str, Any]:
    return {f"raykit.{what}.{key}": value for key, value in about.items()}


def _attributes(about: Mapping[str, Any]) -> list[Attribute]:
    """Attributes in OTLP's JSON form; those without a value are left out."""
    return [{"key": key, "value": _value(item)} for key, item in about.items() if item is not None]


def _value(item: Any) -> dict[str, Any]:
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int) and SMALLEST <= item <= LARGEST:
        return {"intValue": str(item)}
    if isinstance(item, float) and math.isfinite(item):
        return {"doubleValue": item}
    if isinstance(item, list):
        return {"arrayValue": {"values": [_value(each) for each in item if each is not None]}}
    if isinstance(item, dict):
        return {"kvlistValue": {"values": _attributes({str(k): v for k, v in item.items()})}}
    return {"stringValue": str(item)}


def _nanoseconds(seconds: float) -> str:
    """Unix time as OTLP writes it: a text, since JSON's numbers are too small."""
    whole = math.floor(seconds)
    return str(max(whole * NANOSECONDS + round((seconds - whole) * NANOSECONDS), 0))


def _id(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
