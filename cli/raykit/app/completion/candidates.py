"""What can stand in the place of the last word: commands, options, and the names that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raykit.flows import names
from raykit.flows.names import Given, Name


@dataclass(frozen=True)
class Candidate:
    """A word that a shell offers. about: what it is, in one line; may be empty."""

    text: str
    about: str = ""


OF_OPTIONS: Mapping[str, Callable[[Given], Iterable[Name]]] = {
    "on": names.targets,
    "context": names.contexts,
    "namespace": names.namespaces,
}
"""By the name of the option's parameter; it means the same in every command."""

OF_ARGUMENTS: Mapping[tuple[str, str], Callable[[Given], Iterable[Name]]] = {
    ("submit", "job"): names.jobs,
    ("submit", "arguments"): names.job_options,
    ("bench", "job"): names.jobs,
    ("bench", "arguments"): names.job_options,
    ("attach", "job"): names.runs,
    ("logs", "job"): names.runs,
    ("stop", "job"): names.runs,
    ("runs show", "run_id"): names.runs,
    ("runs export", "names"): names.runs_and_experiments,
    ("compare", "runs"): names.runs_and_experiments,
    ("report", "name"): names.runs_and_experiments,
    ("down", "name"): names.clusters,
    ("collect", "cluster"): names.clusters,
    ("scale", "cluster"): names.clusters,
    ("init", "shape"): names.shapes,
}
"""By the command and the name of its argument's parameter."""

ONLY_LOCAL = "local"
"""The metavar of options `--on` that take no other word."""


@dataclass
class Place:
    """Where the last word stands.

    path: the words of the command. given: values of options and arguments by parameter.
    waiting: the option whose value comes next. at: how many arguments stand before.
    behind_dashes: after `--`.
    """

    command: Any
    path: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    waiting: Any = None
    at: int = 0
    behind_dashes: bool = False

    def read(self, word: str) -> None:
        """Go on by one whole word."""
        if self.waiting is not None:
            self.given[self.waiting.name] = word
            self.waiting = None
        elif self.behind_dashes:
            self.at += 1
        elif word == "--":
            self.behind_dashes = True
        elif word.startswith("-"):
            self._read_option(word)
        elif word in self._children():
            self.command = self._children()[word]
            self.path.append(word)
        else:
            self._read_argument(word)

    def _read_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        option = self.option(name)
        if option is None or option.is_flag:
            return
        if equals:
            self.given[option.name] = value
        else:
            self.waiting = option

    def _read_argument(self, word: str) -> None:
        argument = self.argument()
        if argument is not None:
            self.given[argument.name] = word
        self.at += 1

    def option(self, name: str) -> Any:
        """The option of that form (`-n`, `--namespace`); None if the command has none."""
        options = (param for param in self.command.params if param.param_type_name == "option")
        return next((one for one in options if name in (*one.opts, *one.secondary_opts)), None)

    def argument(self) -> Any:
        """The argument that the next word would be; the last one takes all further words."""
        arguments = [p for p in self.command.params if p.param_type_name == "argument"]
        if self.at < len(arguments):
            return arguments[self.at]
        return arguments[-1] if arguments and arguments[-1].nargs == -1 else None

    def options(self) -> list[Candidate]:
        """All options in their longest form, and `--help`."""
        shown = [
            Candidate(form, _first_sentence(param.help))
            for param in self.command.params
            if param.param_type_name == "option" and not param.hidden
            for form in (max(param.opts, key=len), *param.secondary_opts)
        ]
        return [*shown, Candidate("--help", "Show how the command is used.")]

    def commands(self) -> list[Candidate]:
        """The commands below this one."""
        children = self._children().items()
        return [Candidate(name, _first_sentence(child.help)) for name, child in children]

    def _children(self) -> Mapping[str, Any]:
        return getattr(self.command, "commands", {})


def candidates(root: Any, words: Sequence[str]) -> list[Candidate]:
    """What can stand in the place of the last word and begins with it.

    root: the command line as Typer builds it. words: those after `raykit`, the last perhaps empty.
    """
    *before, beginning = words
    place = Place(root)
    for word in before:
        place.read(word)
    name, equals, value = beginning.partition("=")
    option = place.option(name) if equals and not place.behind_dashes else None
    if option is not None:
        found = [
            Candidate(f"{name}={one.text}", one.about) for one in _values(place, option, value)
        ]
    else:
        found = _of_word(place, beginning)
    return [one for one in found if one.text.startswith(beginning)]


def _of_word(place: Place, beginning: str) -> list[Candidate]:
    if place.waiting is not None:
        return _values(place, place.waiting, beginning)
    if not place.behind_dashes:
        if beginning.startswith("-"):
            return place.options()
        if place.commands():
            return place.commands()
    argument = place.argument()
    return [] if argument is None else _values(place, argument, beginning)


def _values(place: Place, param: Any, beginning: str) -> list[Candidate]:
    """The values of an option or an argument that raykit can know."""
    choices = getattr(param.type, "choices", None)
    if choices:
        return [Candidate(str(getattr(choice, "value", choice))) for choice in choices]
    if param.param_type_name == "argument":
        source = OF_ARGUMENTS.get((" ".join(place.path), param.name))
    elif param.metavar == ONLY_LOCAL:
        return [Candidate(ONLY_LOCAL)]
    else:
        source = OF_OPTIONS.get(param.name)
    given = Given(beginning, place.behind_dashes, place.given)
    return [Candidate(*name) for name in source(given)] if source else []


def _first_sentence(text: str | None) -> str:
    words = " ".join((text or "").split())
    return words.partition(". ")[0].removesuffix(".")
