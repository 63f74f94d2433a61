"""The commands as completion needs them, from a file: loading Typer takes longer than all the rest.

`scripts/command_tree.py` writes the file from the program (`make render`); a test finds drift.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PATH = Path(__file__).with_name("commands.json")


@dataclass(frozen=True)
class Param:
    """An option or an argument.

    forms: of an option, such as `-n` and `--namespace`; empty for an argument. takes: whether a
    value follows. choices: the values that there are, if the program knows them all. many: whether
    an argument takes all further words.
    """

    name: str
    help: str = ""
    forms: tuple[str, ...] = ()
    takes: bool = True
    choices: tuple[str, ...] = ()
    many: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        lists = {key: tuple(data.get(key, ())) for key in ("forms", "choices")}
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Command:
    """A command or a group of commands, with what it takes."""

    help: str
    params: tuple[Param, ...]
    commands: dict[str, Command]

    @property
    def options(self) -> list[Param]:
        return [param for param in self.params if param.forms]

    @property
    def arguments(self) -> list[Param]:
        return [param for param in self.params if not param.forms]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Command:
        return cls(
            help=data.get("help", ""),
            params=tuple(Param.from_dict(param) for param in data.get("params", ())),
            commands={name: cls.from_dict(one) for name, one in data.get("commands", {}).items()},
        )


def load() -> Command:
    """The whole command line, as the file has it."""
    return Command.from_dict(json.loads(PATH.read_text("utf-8")))
