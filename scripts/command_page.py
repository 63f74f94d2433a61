"""`docs/commands.md`: every command and option, as the program itself describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from raykit.app.main import app

INTRODUCTION = """# Commands and options

`raykit COMMAND -h` says the same in the terminal, with examples. Exit codes: `exit-codes.md`.

This page is written from the program by `make render`: change `cli/raykit/app/commands/`, not this.
"""


def page() -> str:
    """The whole page, commands in alphabetical order."""
    blocks = [_block(name, command) for name, command in sorted(_commands())]
    return "\n".join([INTRODUCTION, *blocks])


def _commands() -> Iterator[tuple[str, Any]]:
    """Each command that does something, with its full name."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield name, command
        for word, child in below.items():
            yield from walk(child, f"{name} {word}")

    yield from walk(typer.main.get_command(app), "raykit")


def _block(name: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    usage = " ".join([name, *(param.make_metavar(_context(command)) for param in arguments)])
    text = re.sub(r"\s+", " ", (command.help or "").partition("\f")[0]).strip()
    rows = [_row(param, command) for param in options]
    table = ["| option | meaning |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"## `{name}`", "", f"`{usage}`", "", text, "", *table])


def _row(param: Any, command: Any) -> str:
    """An option's forms, what it takes, and what it means."""
    forms = ", ".join([*param.opts, *param.secondary_opts])
    takes = "" if param.is_flag else f" {_takes(param, command)}"
    meaning = " ".join((param.help or "").split())
    if getattr(param.type, "max", None) is not None:
        meaning += f" [{param.type.min:,} to {param.type.max:,}]"
    given = param.default
    if given not in (None, False, ()) and not param.is_flag:
        meaning += f" [default: {getattr(given, 'value', given)}]"
    cells = [f"`{forms}{takes}`", meaning]
    return " ".join(["|", " | ".join(cell.replace("|", "\\|") for cell in cells), "|"])


def _takes(param: Any, command: Any) -> str:
    word = str(param.make_metavar(_context(command))).strip("<>")
    return {"str": "TEXT", "path": "PATH", "int range": "N"}.get(word, word)


def _context(command: Any) -> Any:
    return command.context_class(command)
