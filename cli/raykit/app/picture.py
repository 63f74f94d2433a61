"""One run as text: the task strip, the verdict, the phases and the doubts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from raykit.app.output import shortened, table, wrapped
from raykit.measure import doubts, facts, strip
from raykit.measure.outcome import MOST_REASONS
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord

SHOWN_PHASES = {
    "ray-start": "Ray start",
    "submit": "submit",
    "job": "job",
    "driver-start": "driver start",
    "first-task": "first task",
    "run": "run",
}
MOST_ROWS = 20
LEAST_WIDTH = 40
SECONDS_WIDTH = 12
"""Of a column of seconds, with the space before it."""


def picture(record: RunRecord, width: int) -> str:
    """The text shown after every run of any job.

    width: columns to fill, at least 40. The last line is a command, which may be longer: it is not
    broken, so that it can be pasted.
    """
    if record.status == UNFINISHED:
        return f"record: {record.id} (unfinished)"
    width = max(width, LEAST_WIDTH)
    lines = _strip(record, width)
    times = [
        f"{SHOWN_PHASES[phase.name]} {phase.seconds:.1f}"
        for phase in record.phases
        if phase.name in SHOWN_PHASES
    ]
    if times:
        lines += _joined("seconds: ", times, width)
    lines += _doubts(record, width)
    lines.append(f"record: raykit runs show {record.id}")
    return "\n".join(lines)


def page(record: RunRecord, width: int) -> str:
    """The text of `raykit runs show`. width: columns to fill, at least 40."""
    width = max(width, LEAST_WIDTH)
    about = [
        ("run", record.id),
        ("job", " ".join([record.job["name"], *record.job["arguments"]])),
        ("status", _status(record)),
        ("on", str(record.target.get("chosen", ""))),
        ("Ray", record.versions.get("ray", "unknown")),
        ("machine", _machine(record)),
    ]
    lines = [f"{name:<9}{value}" for name, value in about]
    lines += _why(record, width)
    if record.phases or record.cluster.get("bring_up"):
        lines += ["", _phase_table(record), *_starts(record)]
    if record.spans:
        lines += ["", _span_table(record, width)]
    for result in record.results:
        lines += ["", "RESULT", *_values(result.get("data", result), width, "  ")]
    lines += [*(_strip(record, width) or [""]), *_doubts(record, width)]
    notes = (_paragraph(f"note: {note}", width) for note in record.notes)
    return "\n".join([*lines, *(line for note in notes for line in note)])


def _strip(record: RunRecord, width: int) -> list[str]:
    """The task strip and its verdict below an empty line; nothing of a job that never ran."""
    if record.status == NOT_SUBMITTED:
        return []
    sentence = strip.verdict(record.tasks)
    return ["", *strip.draw(record.tasks, width), *_paragraph(sentence, width)]


def _doubts(record: RunRecord, width: int) -> list[str]:
    """The doubts about this run, without its id."""
    lines: list[str] = []
    for doubt in doubts.of_run(record):
        why = doubt.why.removeprefix(f"{record.id}: ")
        lines += _paragraph(f"doubt: {doubt.name}: {why}; {doubt.advice}", width)
    return lines


def _paragraph(text: str, width: int) -> list[str]:
    return wrapped(text, "", "  ", width).split("\n") if text else []


def _joined(title: str, parts: Sequence[str], width: int) -> list[str]:
    """Parts after a title, separated by dots; lines break only between parts."""
    lines = [title + parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + len(" · ") <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(f"  {part}")
    return lines


def _phase_table(record: RunRecord) -> str:
    """The phases in which the cluster came up (once, cold), then those of this run (warm)."""
    rows = [
        (f"cluster {p['name']}", f"{p['seconds']:.0f}", p["source"], p["clock"])
        for p in record.cluster.get("bring_up") or []
    ]
    rows += [(p.name, f"{p.seconds:.3f}", p.source, p.clock) for p in record.phases]
    return table(["PHASE", "SECONDS", "SOURCE", "CLOCK"], rows)


def _starts(record: RunRecord) -> list[str]:
    """The warm start (submit to first task) and the cold start (with the cluster before it)."""
    before = ("submit", "driver-start", "first-task")
    warm = [phase.seconds for phase in record.phases if phase.name in before]
    if len(warm) != len(before):
        return []
    up = sum(phase["seconds"] for phase in record.cluster.get("bring_up") or [])
    up += sum(phase.seconds for phase in record.phases if phase.name == "ray-start")
    cold = f"; cold start (cluster up, then that): {up + sum(warm):.1f} s" if up else ""
    return [f"warm start (submit to first task): {sum(warm):.1f} s{cold}"]


def _span_table(record: RunRecord, width: int) -> str:
    longest = width - SECONDS_WIDTH
    rows = [
        (shortened(span.get("name", "?"), longest), _seconds(span.get("seconds", 0)))
        for span in record.spans
    ]
    return table(["SPAN", "SECONDS"], rows)


def _seconds(value: float) -> str:
    """Seconds to the millisecond; in powers of ten if a job reports an absurd length."""
    return f"{value:.3f}" if value < 1e9 else f"{value:.1e}"


def _status(record: RunRecord) -> str:
    code = "" if record.exit_code is None else f" (exit {record.exit_code})"
    return record.status + code


def _why(record: RunRecord, width: int) -> list[str]:
    """What the record says of an end that was no success, and what to run where it has none."""
    if record.status == "SUCCEEDED":
        return []
    reasons = [line for line in record.message.splitlines() if line.strip()][:MOST_REASONS]
    lines = [line for reason in reasons for line in _wrapped("  ", reason, width)]
    if record.status == UNFINISHED:
        lines += [f"next: raykit attach {record.id}   (follows it, or asks how it ended)"]
    return lines


def _machine(record: RunRecord) -> str:
    """The machine of the driver, which may be another than raykit's."""
    machine = facts.head_machine(record)
    if not machine.get("cpu_model"):
        return "unknown"
    return f"{machine['cpu_model']}, {machine.get('cpu_count')} CPUs"


def _values(data: object, width: int, indent: str) -> list[str]:
    """JSON data as indented lines: objects by key, lists of objects as tables if they fit."""
    if isinstance(data, Mapping) and data:
        return [line for key, value in data.items() for line in _value(key, value, width, indent)]
    if isinstance(data, list) and any(isinstance(item, Mapping | list) for item in data):
        return _rows(data, width, indent)
    if isinstance(data, Mapping):
        return [f"{indent}none"]
    if isinstance(data, list):
        return _wrapped(indent, ", ".join(map(_scalar, data)) or "none", width)
    return _wrapped(indent, _scalar(data), width)


def _value(key: object, value: object, width: int, indent: str) -> Iterator[str]:
    inner = _values(value, width, indent + "  ")
    if len(inner) == 1 and len(indent) + len(str(key)) + 2 + len(inner[0].strip()) <= width:
        yield f"{indent}{key}: {inner[0].strip()}"
        return
    yield f"{indent}{key}:"
    yield from inner


def _rows(data: Sequence[object], width: int, indent: str) -> list[str]:
    shown = data[:MOST_ROWS]
    left = len(data) - len(shown)
    lines = _table(shown, width, indent) or [
        line for item in shown for line in _item(item, width, indent)
    ]
    return lines + ([f"{indent}and {left:,} more: -o json shows all"] if left else [])


def _table(data: Sequence[object], width: int, indent: str) -> list[str]:
    """Objects with the same keys and plain values as a table; empty if it would not fit."""
    rows = [item for item in data if isinstance(item, Mapping)]
    keys = list(rows[0]) if rows else []
    same = len(rows) == len(data) and all(list(row) == keys for row in rows)
    plain = all(not isinstance(value, Mapping | list) for row in rows for value in row.values())
    if not (keys and same and plain):
        return []
    cells = [[_scalar(value) for value in row.values()] for row in rows]
    lines = [indent + line for line in table(keys, cells).splitlines()]
    return lines if max(map(len, lines)) <= width else []


def _item(item: object, width: int, indent: str) -> list[str]:
    lines = _values(item, width, indent + "  ")
    return [f"{indent}- {lines[0].strip()}", *lines[1:]] if lines else [f"{indent}- none"]


def _scalar(value: object) -> str:
    """A value for people: four digits of a fraction, yes or no for a truth value."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
        case _:
            return str(value)


def _wrapped(indent: str, text: str, width: int) -> list[str]:
    return wrapped(text, indent, "", width).split("\n")
