"""The page of checks, as `doctor` and `image check` print it."""

from __future__ import annotations

import sys
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
    first, *more = output.wrapped(row["what"], INDENT, "  ").splitlines()
    shown = [f"  {state}{first.strip()}", *more]
    if row["state"] == "ok":
        return shown
    for text in row["evidence"]:
        shown += output.wrapped(text, f"{INDENT}  ", "  ").splitlines()
    if row["next"]:
        shown.append(f"{INDENT}next: {row['next']}")
    return shown
