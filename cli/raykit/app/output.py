"""All printing: results on stdout, progress and errors on stderr, JSON as a contract.

With `-o json` every command prints exactly one envelope with the keys `schema`, `command`, `data`
and `error`; a job's own output then goes to stderr.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from raykit.errors import RaykitError
from raykit.phases import Phase

if TYPE_CHECKING:
    from rich.status import Status

ENVELOPE_SCHEMA = 1
BOLD, RED, GREEN, DIM = "1", "31", "32", "2"


def width() -> int:
    """Columns to fill: the terminal's, at most 100; 80 where there is none."""
    return min(shutil.get_terminal_size((80, 24)).columns, 100)


def styled(text: str, code: str, stream: TextIO) -> str:
    """The text in a style where the stream is a terminal and NO_COLOR is unset."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def envelope(command: str, data: object, error: RaykitError | None = None) -> str:
    """One JSON document: the contract of `-o json`."""
    return json.dumps(
        {
            "schema": ENVELOPE_SCHEMA,
            "command": command,
            "data": data,
            "error": error.as_dict() if error else None,
        },
        indent=2,
    )


def show(command: str, data: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print a result: the envelope, or what `text` makes of the data."""
    _write(sys.stdout, (envelope(command, data) if as_json else text(data)) + "\n")


def show_envelope(command: str, data: object, error: RaykitError | None) -> None:
    """Print the envelope of a result that may have gone wrong."""
    _write(sys.stdout, envelope(command, data, error) + "\n")


def raw(data: bytes) -> None:
    """Print bytes as they are."""
    _write(sys.stdout, data)


def aside(text: str) -> None:
    """Print what is for the user's eyes beside a result, on stderr."""
    if text:
        _say(text)


def show_error(command: str, error: RaykitError, as_json: bool) -> None:
    """Print an error: the envelope on stdout, or what, evidence and next on stderr."""
    if as_json:
        show_envelope(command, None, error)
        return
    lines = [styled("error: ", RED, sys.stderr) + error.what]
    lines += [f"  {line}" for line in error.evidence]
    if error.next:
        lines.append(styled("next: ", BOLD, sys.stderr) + error.next)
    _say("\n".join(lines))


def _say(text: str) -> None:
    _write(sys.stderr, text + "\n")


def _write(stream: TextIO, content: str | bytes) -> None:
    """Write at once. A reader that has gone, such as `head`, ends the writing, not the command."""
    try:
        if isinstance(content, bytes):
            stream.flush()
            stream.buffer.write(content)
        else:
            # Where a terminal cannot show a character, a question mark is better than a traceback.
            encoding = stream.encoding or "utf-8"
            stream.write(content.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as aligned columns, two spaces apart, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [
        max(len(name), *(len(row[column]) for row in cells)) if cells else len(name)
        for column, name in enumerate(header)
    ]
    numeric = [
        bool(cells) and all(_is_number(row[column]) for row in cells)
        for column in range(len(header))
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(wide) if right else cell.ljust(wide)
            for cell, wide, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [list(header), *cells]
    )


def shortened(text: str, length: int) -> str:
    """The text's first line, cut with an ellipsis."""
    first = " ".join(text.split())
    return first if len(first) <= length else first[: length - 1] + "…"


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph within the terminal's width, its later lines indented further."""
    return textwrap.fill(text, width(), initial_indent=indent, subsequent_indent=indent + "    ")


def _is_number(cell: str) -> bool:
    return cell in {"", "-"} or cell.split(" ")[0].rstrip("x%s").replace(".", "", 1).isdigit()


class Screen:
    """The listener for people: a spinner on a terminal, plain lines otherwise, all on stderr."""

    def __init__(self, job_stream: TextIO | None = None) -> None:
        self.job_stream = job_stream or sys.stdout
        self.status: Status | None = None
        self.title = ""

    def step_started(self, title: str) -> None:
        self.title = title
        if not sys.stderr.isatty():
            return
        from rich.console import Console

        self.status = Console(file=sys.stderr).status(f"{title} …", spinner="dots")
        self.status.start()

    def step_detail(self, text: str) -> None:
        if self.status:
            self.status.update(f"{self.title} … {text}")

    def step_finished(self, phase: Phase, title: str) -> None:
        self._stop_spinner()
        tick = styled("✓", GREEN, sys.stderr)
        _say(f"{tick} {title} ({phase.seconds:.1f} s)")

    def step_failed(self, title: str) -> None:
        self._stop_spinner()
        _say(f"{styled('✗', RED, sys.stderr)} {title}")

    def note(self, text: str) -> None:
        self._stop_spinner()
        _say(text)

    def job_output(self, chunk: bytes) -> None:
        self._stop_spinner()
        _write(self.job_stream, chunk)

    def _stop_spinner(self) -> None:
        if self.status:
            self.status.stop()
            self.status = None
