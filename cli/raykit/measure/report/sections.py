"""The parts that every report has: environment, doubts, results, log, and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raykit.measure import facts
from raykit.measure.doubts import Doubt
from raykit.measure.records import RunRecord
from raykit.measure.report.drawing import Plot
from raykit.measure.report.html import Html, element, joined, table
from raykit.measure.report.page import Section

LOG_LINES, LINE_LENGTH = 60, 400
RESULT_LENGTH = 20_000
GIB = 1 << 30


def figure(id_: str, title: str, *plots: Plot | None) -> list[Section]:
    """A section of plots; none if there is no plot."""
    there = [plot for plot in plots if plot is not None]
    body = joined(plot.html(named=len(there) > 1) for plot in there)
    return [Section(id_, title, body)] if there else []


def environment(records: Sequence[RunRecord]) -> list[Section]:
    """What the runs ran on. Where they differ, all that was seen is given."""
    rows = [
        (name, joined(map(str, values), "; "))
        for name, values in _environment(records).items()
        if values
    ]
    return [
        Section(
            "environment",
            "Environment",
            table("Environment", ("what", "value"), rows, kind="words"),
        )
    ]


def _environment(records: Sequence[RunRecord]) -> dict[str, list[object]]:
    machines = [facts.head_machine(record) for record in records]
    nodes = [node for record in records for node in record.cluster.get("nodes") or []]
    seen: dict[str, Iterable[object]] = {
        "machine of the driver": (_machine(machine) for machine in machines),
        "memory": (_memory(machine.get("memory_bytes")) for machine in machines),
        "system": (_text(machine.get("platform")) for machine in machines),
        "load before the run": _loads(machines),
        "task CPUs p": (f"{facts.task_cpus(record):g}" for record in records),
        "Ray nodes": (_ray_nodes(record) for record in records),
        "Kubernetes nodes": (node.get("name") for node in nodes),
        "machines": (record.cluster.get("machines") for record in records),
        "images": (image for record in records for image in facts.images(record)),
        "raykit, Ray, Python": (_versions(record.versions) for record in records),
        "clock of the head": (_clock(record.clock) for record in records),
    }
    return {name: list(dict.fromkeys(v for v in values if v)) for name, values in seen.items()}


def _machine(machine: Mapping[str, Any]) -> str | None:
    model, count = machine.get("cpu_model"), machine.get("cpu_count")
    return f"{count} CPUs, {model}" if model and count else None


def _text(value: object) -> str | None:
    """A field of a job's own `start` line, which may be anything."""
    return value if isinstance(value, str) else None


def _memory(size: object) -> str | None:
    return f"{size / GIB:.1f} GiB" if isinstance(size, int) and size > 0 else None


def _loads(machines: Sequence[Mapping[str, Any]]) -> list[object]:
    """The range of the loads: one for each run would be a list of numbers."""
    loads = [m["load"] for m in machines if isinstance(m.get("load"), int | float)]
    if not loads:
        return []
    low, high = min(loads), max(loads)
    return [f"{low:.1f}" if low == high else f"{low:.1f} to {high:.1f}"]


def _ray_nodes(record: RunRecord) -> str | None:
    nodes = record.tasks.get("nodes") or {}
    return (
        ", ".join(
            f"{name} ({cpus:g} {'CPU' if cpus == 1 else 'CPUs'})" for name, cpus in nodes.items()
        )
        or None
    )


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(versions.get(name, "unknown") for name in ("raykit", "ray", "python"))


def _clock(clock: Mapping[str, Any]) -> str | None:
    if not clock.get("corrected"):
        return None
    ahead, about = clock["offset_seconds"], clock["uncertainty_seconds"]
    return f"{ahead:+.3f} s (± {about:.3f} s) from raykit's; phases are corrected for it"


def doubts(found: Sequence[Doubt]) -> list[Section]:
    """What is in doubt, and what to do about it; also that nothing is."""
    if not found:
        return [Section("doubts", "Doubts", element("p", "None of the doubts that raykit knows."))]
    items = (
        joined(
            [
                element("dt", doubt.name),
                element("dd", f"{doubt.why}; {doubt.advice}."),
            ]
        )
        for doubt in found
    )
    return [Section("doubts", "Doubts", element("dl", joined(items), class_="doubts"))]


def results(record: RunRecord) -> list[Section]:
    """What the job's result lines hold, as it gave them."""
    if not record.results:
        return []
    texts = [json.dumps(r.get("data", r), indent=2, ensure_ascii=False) for r in record.results]
    return [Section("results", "Result of the job", joined(_listing(t, "Result") for t in texts))]


def log(data: bytes | None) -> list[Section]:
    """The last lines that the driver wrote."""
    if not data:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    cut = [line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + " …" for line in lines]
    title = "Driver's log" if len(lines) <= LOG_LINES else f"Driver's log, last {LOG_LINES} lines"
    listing = _listing("\n".join(cut[-LOG_LINES:]), "Driver's log")
    return [Section("log", title, element("details", element("summary", "Show it"), listing))]


def commands(lines: Sequence[str], notes: Sequence[str] = ()) -> list[Section]:
    """What to type to measure it again, and what a reader must know besides."""
    body = [_listing("\n".join(lines), "Commands"), *(element("p", note) for note in notes)]
    return [Section("again", "Measure it again", joined(body))]


def _listing(lines: str, label: str) -> Html:
    """Text as it is; it scrolls within itself, also by keyboard."""
    if len(lines) > RESULT_LENGTH:
        lines = f"{lines[:RESULT_LENGTH]}\n… and {len(lines) - RESULT_LENGTH:,} characters more"
    return element("pre", lines, tabindex="0", role="group", aria_label=label)
