"""All printing: results on stdout, progress and errors on stderr, JSON as a contract.

With `-o json` every command prints exactly one envelope with the keys `schema`, `command`, `data`
and `error`; a job's own output then goes to stderr.

No stream can end a command. A reader that has gone, a terminal that was closed or a full disk ends
the writing to that stream; only a result that a disk refused is an error, once the work is done.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from raykit.errors import RaykitError, RecordError
from raykit.phases import Phase

if TYPE_CHECKING:
    from rich.status import Status

ENVELOPE_SCHEMA = 1
BOLD, RED, GREEN, DIM = "1", "31", "32", "2"
DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


def open_closed_streams() -> None:
    """Open standard streams that the caller closed, such as by `>&-`, to nowhere.

    Otherwise the next file or connection would get their number, and output would go into it.
    """
    modes = {"stdin": "r", "stdout": "w", "stderr": "w"}
    for number, (name, mode) in enumerate(modes.items()):
        try:
            os.set_blocking(number, True)
        except OSError:
            _to_nowhere(number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def show(command: str, data: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print a result: the envelope, or what `text` makes of the data.

    Errors: RecordError (7) where a disk refuses it.
    """
    _deliver(envelope(command, data) if as_json else text(data))


def show_envelope(command: str, data: object, error: RaykitError | None) -> None:
    """Print the envelope of a result that may have gone wrong.

    Errors: RecordError (7) where a disk refuses a result that went well.
    """
    if error is None:
        _deliver(envelope(command, data))
    else:
        _write(sys.stdout, envelope(command, data, error) + "\n")


def raw(data: bytes) -> None:
    """Print bytes as they are."""
    _Spinner.stop()
    _write(sys.stdout, data)


def aside(text: str) -> None:
    """Print what is for the user's eyes beside a result, on stderr."""
    if text:
        _say(text)


def show_error(command: str, error: RaykitError, as_json: bool) -> None:
    """Print an error: the envelope on stdout, or what, evidence and next on stderr."""
    if as_json and not _is_refused(error):
        show_envelope(command, None, error)
        return
    lines = [styled("error: ", RED, sys.stderr) + error.what]
    lines += [f"  {line}" for line in error.evidence]
    if error.next:
        lines.append(styled("next: ", BOLD, sys.stderr) + error.next)
    _say("\n".join(lines))


class _RefusedError(RecordError):
    """stdout leads to a disk that takes no more."""


def _is_refused(error: RaykitError) -> bool:
    return isinstance(error, _RefusedError)


def _deliver(text: str) -> None:
    _Spinner.stop()
    failure = _write(sys.stdout, text + "\n")
    if failure and failure.errno in DISK_REFUSES:
        raise _RefusedError(
            "the result could not be written to stdout",
            evidence=[os.strerror(failure.errno)],
            next="free space or write it elsewhere, then run the same command again",
        )


def _say(text: str) -> None:
    _Spinner.stop()  # first of all: while it turns, sys.stderr is the spinner's
    _write(sys.stderr, text + "\n")


def _write(stream: TextIO, content: str | bytes) -> OSError | None:
    """Write at once; returns why the stream takes no more. It then leads to nowhere."""
    _Spinner.stop()
    try:
        if isinstance(content, bytes):
            stream.flush()
            stream.buffer.write(content)
        else:
            # Where a terminal cannot show a character, a question mark is better than a traceback.
            encoding = stream.encoding or "utf-8"
            stream.write(content.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except OSError as failure:
        _to_nowhere(stream.fileno())
        return failure
    return None


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


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


class _Spinner:
    """The line on a terminal's stderr that turns while something is waited for; at most one."""

    status: Status | None = None

    @classmethod
    def start(cls, title: str) -> None:
        cls.stop()
        if not sys.stderr.isatty():
            return
        from rich.console import Console

        cls.status = Console(file=cast("TextIO", _Terminal(sys.stderr))).status(
            title, spinner="dots"
        )
        cls.status.start()

    @classmethod
    def update(cls, title: str) -> None:
        if cls.status:
            cls.status.update(title)

    @classmethod
    def stop(cls) -> None:
        status, cls.status = cls.status, None
        if status:
            status.stop()


class _Terminal(io.TextIOBase):
    """A terminal as the spinner's own thread needs it: one that was closed is no error."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()


class Screen:
    """The listener for people: a spinner on a terminal, plain lines otherwise, all on stderr."""

    def __init__(self, job_stream: TextIO | None = None) -> None:
        self.job_stream = job_stream or sys.stdout
        self.title = ""

    def step_started(self, title: str) -> None:
        self.title = title
        _Spinner.start(f"{title} …")

    def step_detail(self, text: str) -> None:
        _Spinner.update(f"{self.title} … {text}")

    def step_finished(self, phase: Phase, title: str) -> None:
        tick = styled("✓", GREEN, sys.stderr)
        _say(f"{tick} {title} ({phase.seconds:.1f} s)")

    def step_failed(self, title: str) -> None:
        _say(f"{styled('✗', RED, sys.stderr)} {title}")

    def note(self, text: str) -> None:
        _say(text)

    def job_output(self, chunk: bytes) -> None:
        _write(self.job_stream, chunk)
