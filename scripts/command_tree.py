"""`cli/raykit/app/completion/commands.json`: the commands as completion reads them."""

from __future__ import annotations

import json
from typing import Any

import typer.main

from raykit.app.main import app

HELP = {"name": "help", "forms": ["-h", "--help"], "takes": False, "help": "Show how it is used"}
ONLY_LOCAL = "local"
"""The metavar of options `--on` that take no other word."""


def text() -> str:
    """The file's text."""
    return json.dumps(_command(typer.main.get_command(app)), indent=1, ensure_ascii=False) + "\n"


def _command(command: Any) -> dict[str, Any]:
    below = getattr(command, "commands", {})
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    return {
        "help": _first_sentence(command.help),
        "params": [*map(_param, shown), HELP],
        **({"commands": {name: _command(one) for name, one in below.items()}} if below else {}),
    }


def _param(param: Any) -> dict[str, Any]:
    """Only what differs from the defaults of `tree.Param`."""
    data: dict[str, Any] = {"name": param.name}
    if about := _first_sentence(param.help):
        data["help"] = about
    if param.param_type_name == "option":
        data["forms"] = [*param.opts, *param.secondary_opts]
    elif param.nargs == -1:
        data["many"] = True
    if getattr(param, "is_flag", False):
        data["takes"] = False
    if choices := _choices(param):
        data["choices"] = choices
    return data


def _choices(param: Any) -> list[str]:
    if param.metavar == ONLY_LOCAL:
        return [ONLY_LOCAL]
    choices = getattr(param.type, "choices", None) or ()
    return [str(getattr(choice, "value", choice)) for choice in choices]


def _first_sentence(words: str | None) -> str:
    sentence, _, _ = " ".join((words or "").split()).partition(". ")
    return sentence.removesuffix(".")
