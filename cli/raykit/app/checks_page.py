"""The page of checks, as `doctor` and `image check` print it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import typer

from raykit.app import output
from raykit.app.options import Format
from raykit.errors import RaykitError

STYLES = {"ok": output.GREEN, "warn": output.BOLD, "fail": output.RED, "skipped": output.DIM}
INDENT = " " * 10

Row = dict[str, Any]


def show(
    command: str,
    data: Row,
    error: RaykitError | None,
    output_format: Format,
    text: Callable[[Row], str],
) -> None:
    """Print the checks, then end as the failed ones say. text: makes the page of the data.

    Errors: `error`.
    """
    if output_format is Format.json:
        output.show_envelope(command, data, error)
        raise typer.Exit(error.exit_code if error else 0)
    output.show(command, data, False, text)
    if error:
        raise error


def lines(rows: Sequence[Row]) -> list[str]:
    """The lines of some checks. Evidence and advice are shown for those that are not `ok`."""
    return [line for row in rows for line in _check(row)]


def summary(rows: Sequence[Row]) -> str:
    """How many checks are in each state, such as `8 ok, 1 fail`."""
    counts = {state: sum(row["state"] == state for row in rows) for state in STYLES}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def _check(row: Row) -> list[str]:
    state = output.styled(f"{row['state']:<8}", STYLES[row["state"]], sys.stdout)
    first, *more = _wrapped(row["what"], INDENT)
    shown = [f"  {state}{first.strip()}", *more]
    if row["state"] == "ok":
        return shown
    for text in row["evidence"]:
        shown += _wrapped(text, f"{INDENT}  ")
    if row["next"]:
        shown.append(f"{INDENT}next: {row['next']}")
    return shown


def _wrapped(text: str, indent: str) -> list[str]:
    """A text within the width; names such as kuberay-operator and long words stay whole."""
    return textwrap.wrap(
        text,
        output.width(),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
