"""All printing: results on stdout, progress and errors on stderr, JSON as a contract.

With `-o json` every command prints exactly one envelope with the keys `schema`, `command`, `data`
and `error`; a job's own output then goes to stderr.

No stream can end a command, or outlast it (`streams`); only a result that a disk or a paused
reader refused is an error.

Every text passes `redacted` (no secret leaves) and `plain` (no control character of a job, a head
or a file name moves the cursor), but for a job's own output and for results that are `exact`.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from raykit.app import streams
from raykit.errors import RaykitError, RecordError
from raykit.phases import Phase
from raykit.redaction import plain, redacted

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status
    from rich.text import Text

    from raykit.measure.doubts import Doubt

ENVELOPE_SCHEMA = 1
BOLD, RED, GREEN, DIM = "1", "31", "32", "2"
TAIL_BYTES = 16_384
_WRITING = threading.RLock()
"""One thread writes at a time. Unlike the streams' own locks, waiting for it can be interrupted."""

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ETIMEDOUT)
"""A result that was to be kept or read is lost; a reader that has gone did not want it."""


def width() -> int:
    """Columns to fill: the terminal's, at most 100; 80 without a terminal."""
    return min(shutil.get_terminal_size((80, 24)).columns, 100)


def styled(text: str, code: str, stream: TextIO) -> str:
    """The text in a style if the stream is a terminal and NO_COLOR is unset."""
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
            "error": redacted(error.as_dict()) if error else None,
        },
        indent=2,
    )


def show(
    command: str, data: Any, as_json: bool, text: Callable[[Any], str], *, exact: bool = False
) -> None:
    """Print a result: the envelope, or what `text` makes of the data.

    exact: the result is what the user wrote, such as a manifest, and goes out as it is.

    Errors: RecordError (7) if a disk or a paused reader refuses it.
    """
    if as_json:
        _deliver(envelope(command, data if exact else redacted(data)) + "\n")
    else:
        _deliver((text(data) if exact else plain(text(data))) + "\n")


def show_envelope(command: str, data: object, error: RaykitError | None) -> None:
    """Print the envelope of a result, an error, or both.

    Errors: RecordError (7) if a disk refuses a result that went well.
    """
    text = envelope(command, redacted(data), error)
    if error is None:
        _deliver(text + "\n")
    else:
        _write(sys.stdout, text + "\n")


def raw(data: bytes) -> None:
    """Print a log's bytes as they are.

    Errors: RecordError (7) if a disk refuses them.
    """
    _deliver(data)


def aside(text: str) -> None:
    """Print text for people, which is not part of the result, to stderr."""
    if text:
        _say(plain(text))


def show_error(
    command: str, error: RaykitError, as_json: bool, shown: Callable[[str], bool] = lambda _: False
) -> None:
    """Print an error: the envelope on stdout, or what, evidence and next on stderr.

    shown: whether a line of evidence is already on the screen; then it is not repeated.
    """
    if as_json and not _is_refused(error):
        show_envelope(command, None, error)
        return
    what = for_screen(f"error: {plain(error.what)}").removeprefix("error: ")
    lines = [styled("error: ", RED, sys.stderr) + what]
    lines += [f"  {line}" for line in _evidence(error) if not shown(line)]
    if error.next:
        lines.append(styled("next: ", BOLD, sys.stderr) + plain(error.next))
    for other in error.also:
        lines.append(styled("also: ", RED, sys.stderr) + plain(other.what))
        lines += [f"  {line}" for line in _evidence(other)]
        lines += [f"  next: {plain(other.next)}"] if other.next else []
    _say("\n".join(lines))


def _evidence(error: RaykitError) -> list[str]:
    return [line for text in error.evidence for line in plain(text).split("\n")]


def show_bug(kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug without secrets: Python's own would show them."""
    _say(plain("".join(traceback.format_exception(kind, bug, trace)).rstrip("\n")))


class _RefusedError(RecordError):
    """stdout leads to a disk or a reader that takes no more."""


def _is_refused(error: RaykitError) -> bool:
    return isinstance(error, _RefusedError)


def _deliver(content: str | bytes) -> None:
    _Spinner.stop()
    _write(sys.stdout, content)
    failure = streams.failure(sys.stdout)
    if failure and failure.errno in REFUSED:
        raise _RefusedError(
            "the result could not be written to stdout",
            evidence=[failure.strerror or os.strerror(failure.errno)],
            next="free space, or send it elsewhere, then run the same command again",
        )


def _say(text: str) -> None:
    _Spinner.stop()  # first of all: while it turns, sys.stderr is the spinner's
    _write(sys.stderr, text + "\n")


def _write(stream: TextIO, content: str | bytes) -> None:
    """Write at once."""
    _Spinner.stop()
    with _WRITING:
        if isinstance(content, bytes):
            stream.flush()
            stream.buffer.write(content)
        else:
            stream.write(content)
        stream.flush()


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


def wrapped(text: str, indent: str = "", further: str = "    ", columns: int = 0) -> str:
    """A paragraph within some columns (0: the terminal's), its later lines indented further.

    Names, paths and options stay whole, even where a line gets too long: they may be copied.
    """
    return textwrap.fill(
        text,
        columns or width(),
        initial_indent=indent,
        subsequent_indent=indent + further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def for_screen(text: str) -> str:
    """Text for people on stderr: on a terminal its lines are broken at spaces to fit the width.

    Without a terminal each line stays one line.
    """
    if not sys.stderr.isatty():
        return text
    return "\n".join(map(_broken, text.split("\n")))


def _broken(line: str) -> str:
    if len(line) <= width():
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return wrapped(line.strip(" "), indent, "  ")


def doubts(found: Sequence[Doubt]) -> list[str]:
    """Lines that name doubts below a table; none without a doubt."""
    lines = [wrapped(f"{doubt.name}: {doubt.why}; {doubt.advice}", "  ") for doubt in found]
    return ["", "doubts:", *lines] if lines else []


def _is_number(cell: str) -> bool:
    digits = cell.split(" ")[0].rstrip("x%s").replace(",", "").replace(".", "", 1)
    return cell in {"", "-"} or digits.isdigit()


class _Spinner:
    """The line on a terminal's stderr that turns while something is waited for; at most one."""

    status: Status | None = None

    @classmethod
    def start(cls, title: str) -> None:
        cls.stop()
        if not sys.stderr.isatty():
            return
        from rich.console import Console

        cls.status = Console(file=sys.stderr).status(_line(title), spinner="dots")
        cls.status.start()

    @classmethod
    def update(cls, title: str) -> None:
        if cls.status:
            cls.status.update(_line(title))

    @classmethod
    def stop(cls) -> None:
        status, cls.status = cls.status, None
        if status:
            status.stop()


def _line(title: str) -> Text:
    """A title for the spinner, whose brackets are no markup."""
    from rich.text import Text

    return Text(plain(title))


class Screen:
    """The listener for people: a spinner on a terminal, plain lines otherwise, all on stderr."""

    def __init__(self, job_stream: TextIO | None = None) -> None:
        self.job_stream = job_stream or sys.stdout
        self.title = ""
        self.tail = b""

    def step_started(self, title: str) -> None:
        self.title = title
        _Spinner.start(f"{title} …")

    def step_detail(self, text: str) -> None:
        _Spinner.update(f"{self.title} … {text}")

    def step_finished(self, phase: Phase, title: str) -> None:
        tick = styled("✓", GREEN, sys.stderr)
        self._say(f"{tick} {plain(title)} ({phase.seconds:.1f} s)")

    def step_failed(self, title: str) -> None:
        self._say(f"{styled('✗', RED, sys.stderr)} {plain(title)}")

    def note(self, text: str) -> None:
        turns = _Spinner.status is not None
        self._say(for_screen(plain(text)))
        if turns:
            _Spinner.start(f"{self.title} …")

    def job_output(self, chunk: bytes) -> None:
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        _write(self.job_stream, chunk)

    def deadline(self, moment: float | None) -> None:
        streams.deadline(moment)

    def is_cut(self) -> bool:
        """Whether a paused reader or a full disk missed a part of the job's output."""
        failure = streams.failure(self.job_stream)
        return failure is not None and failure.errno in REFUSED

    def end_line(self) -> None:
        """Begin a new line if the job's output left one open on the same terminal."""
        if self.tail and not self.tail.endswith(b"\n") and self._shares_stderr():
            self.tail += b"\n"
            _write(sys.stderr, "\n")

    def has_shown(self, line: str) -> bool:
        """Whether the job has just printed this line on the terminal that shows errors."""
        if not self._shares_stderr():
            return False
        shown = self.tail.decode("utf-8", "replace").splitlines()
        return bool(line.strip()) and any(text.rstrip().endswith(line.strip()) for text in shown)

    def _say(self, text: str) -> None:
        self.end_line()
        _say(text)

    def _shares_stderr(self) -> bool:
        try:
            return os.path.sameopenfile(self.job_stream.fileno(), sys.stderr.fileno())
        except (OSError, ValueError):
            return False
