"""What a person sees of one run: the task strip, a verdict, where the time went."""

from __future__ import annotations

from raykit.app.output import table
from raykit.measure import strip
from raykit.measure.records import RunRecord

SHOWN_PHASES = {
    "ray-start": "Ray start",
    "submit": "submit",
    "job": "job",
    "driver-start": "driver start",
    "first-task": "first task",
    "run": "run",
}


def picture(record: RunRecord, width: int) -> str:
    """The lines shown after every run, of any job; at most `width` columns."""
    if record.status == "UNFINISHED":
        return f"record: {record.id} (unfinished)"
    lines = ["", *strip.draw(record.tasks, width), strip.verdict(record.tasks)]
    times = [
        f"{SHOWN_PHASES[phase.name]} {phase.seconds:.1f}"
        for phase in record.phases
        if phase.name in SHOWN_PHASES
    ]
    if times:
        lines.append(f"seconds: {' · '.join(times)}")
    lines.append(f"record: raykit runs show {record.id}")
    return "\n".join(lines)


def page(record: RunRecord, width: int) -> str:
    """`runs show`: everything a person asks of a record first."""
    facts = [
        ("run", record.id),
        ("job", " ".join([record.job["name"], *record.job["arguments"]])),
        ("status", _status(record)),
        ("on", str(record.target.get("chosen", ""))),
        ("Ray", record.versions.get("ray", "unknown")),
        ("machine", f"{record.machine.get('cpu_model')}, {record.machine.get('cpu_count')} CPUs"),
    ]
    lines = [f"{name:<9}{value}" for name, value in facts]
    if record.phases or record.cluster.get("bring_up"):
        lines += ["", _phase_table(record), *_starts(record)]
    if record.spans:
        lines += ["", _span_table(record)]
    for result in record.results:
        lines += ["", *_values("RESULT", result.get("data", result))]
    lines += ["", *strip.draw(record.tasks, width), strip.verdict(record.tasks)]
    return "\n".join([*lines, *(f"note: {note}" for note in record.notes)])


def _phase_table(record: RunRecord) -> str:
    """How the cluster came up (once, cold), then what this submission took (warm)."""
    rows = [
        (f"cluster {p['name']}", f"{p['seconds']:.0f}", p["source"], p["clock"])
        for p in record.cluster.get("bring_up") or []
    ]
    rows += [(p.name, f"{p.seconds:.3f}", p.source, p.clock) for p in record.phases]
    return table(["PHASE", "SECONDS", "SOURCE", "CLOCK"], rows)


def _starts(record: RunRecord) -> list[str]:
    """Warm start: submit to first task; cold start: the cluster's coming up before it."""
    before = ("submit", "driver-start", "first-task")
    warm = [phase.seconds for phase in record.phases if phase.name in before]
    if len(warm) != len(before):
        return []
    up = sum(phase["seconds"] for phase in record.cluster.get("bring_up") or [])
    up += sum(phase.seconds for phase in record.phases if phase.name == "ray-start")
    cold = f"; cold start (cluster up, then that): {up + sum(warm):.1f} s" if up else ""
    return [f"warm start (submit to first task): {sum(warm):.1f} s{cold}"]


def _span_table(record: RunRecord) -> str:
    rows = [(span.get("name", "?"), f"{span.get('seconds', 0):.3f}") for span in record.spans]
    return table(["SPAN", "SECONDS"], rows)


def _status(record: RunRecord) -> str:
    code = "" if record.exit_code is None else f" (exit {record.exit_code})"
    return record.status + code


def _values(title: str, data: object) -> list[str]:
    if not isinstance(data, dict):
        return [title, f"  {data}"]
    return [title, *(f"  {key}: {value}" for key, value in data.items())]
