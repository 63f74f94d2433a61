"""What can stand in the place of the last word: commands, options, and the names that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raykit.app.completion.tree import Command, Param
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


@dataclass
class Place:
    """Where the last word stands.

    path: the words of the command. given: values of options and arguments by parameter.
    waiting: the option whose value comes next. at: how many arguments stand before.
    behind_dashes: after `--`.
    """

    command: Command
    path: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    waiting: Param | None = None
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
        elif word in self.command.commands:
            self.command = self.command.commands[word]
            self.path.append(word)
        else:
            self._read_argument(word)

    def _read_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        option = self.option(name)
        if option is None or not option.takes:
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

    def option(self, form: str) -> Param | None:
        """The option of that form (`-n`, `--namespace`); None if the command has none."""
        return next((option for option in self.command.options if form in option.forms), None)

    def argument(self) -> Param | None:
        """The argument that the next word would be; the last one may take all further words."""
        arguments = self.command.arguments
        if self.at < len(arguments):
            return arguments[self.at]
        return arguments[-1] if arguments and arguments[-1].many else None


def candidates(root: Command, words: Sequence[str]) -> list[Candidate]:
    """What can stand in the place of the last word and begins with it.

    words: those after `raykit`; the last is to be completed, and may be empty.
    """
    *before, beginning = words
    place = Place(root)
    for word in before:
        place.read(word)
    name, equals, value = beginning.partition("=")
    option = place.option(name) if equals and not place.behind_dashes else None
    if option is None:
        possible = _of_word(place, beginning)
    else:
        values = _values(place, option, value)
        possible = [Candidate(f"{name}={one.text}", one.about) for one in values]
    return [one for one in possible if one.text.startswith(beginning)]


def _of_word(place: Place, beginning: str) -> list[Candidate]:
    if place.waiting is not None:
        return _values(place, place.waiting, beginning)
    if not place.behind_dashes:
        if beginning.startswith("-"):
            return _options(place.command)
        if place.command.commands:
            commands = place.command.commands.items()
            return [Candidate(name, command.help) for name, command in commands]
    argument = place.argument()
    return [] if argument is None else _values(place, argument, beginning)


def _options(command: Command) -> list[Candidate]:
    """All options in their long forms."""
    return [
        Candidate(form, option.help)
        for option in command.options
        for form in option.forms
        if form.startswith("--")
    ]


def _values(place: Place, param: Param, beginning: str) -> list[Candidate]:
    """The values of an option or an argument that raykit can know."""
    if param.choices:
        return [Candidate(choice) for choice in param.choices]
    if param.forms:
        source = OF_OPTIONS.get(param.name)
    else:
        source = OF_ARGUMENTS.get((" ".join(place.path), param.name))
    given = Given(beginning, place.behind_dashes, place.given)
    try:
        return [Candidate(*name) for name in source(given)] if source else []
    except OSError:
        # The current folder was deleted, or may not be read.
        return []
