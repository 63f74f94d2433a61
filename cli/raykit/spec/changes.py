"""Changes a spec from the command line: `--set PATH=VALUE` and `--job 'NAME ARGUMENTS'`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from raykit.errors import UsageError
from raykit.spec import document
from raykit.spec.problems import Path, Problem

_PART = re.compile(r'\.?([A-Za-z_][\w-]*)|\[(\d{1,4})\]|\[("(?:[^"\\]|\\.)+")\]')
_FORM = """--set PATH=VALUE, such as --set head.memory=4Gi, --set 'workers[0].replicas=2', \
or --set 'head.nodeSelector["a.b/c"]=d'"""


def apply(data: dict[str, Any], settings: Sequence[str]) -> list[Problem]:
    """Set values in a spec's plain data, one after the other; return the problems with their paths.

    settings: texts `PATH=VALUE`; the value is YAML, read as strictly as a spec. The index after the
    last item of a list appends an item.
    Errors: UsageError (2) if a text has another form.
    """
    problems: list[Problem] = []
    for setting in settings:
        path, text = _split(setting)
        parsed = document.parse(text)
        wrong = [Problem((*path, *problem.path), problem.message) for problem in parsed.problems]
        is_empty = parsed.value is None and not wrong
        if is_empty or any(problem.message == "is empty" for problem in parsed.problems):
            wrong = [Problem(path, 'has no value: give one; an empty text is ""')]
        problems += wrong or _put(data, path, parsed.value)
    return problems


def add_jobs(data: dict[str, Any], jobs: Sequence[str]) -> None:
    """Add a job to a spec's plain data for each text, such as `fib --size 20000`.

    A job has the name of what it runs, with a number if the spec has that name already.
    Errors: UsageError (2) if a text is empty or has an open quotation mark.
    """
    entries = data.setdefault("jobs", []) if jobs else []
    for text in jobs:
        job, *arguments = _words(text)
        taken = {entry["name"] for entry in entries}
        names = (job if number == 1 else f"{job}-{number}" for number in range(1, len(taken) + 2))
        name = next(name for name in names if name not in taken)
        entries.append({"name": name, "job": job, "arguments": arguments})


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--job {text!r}: {error}", next="close the quotation mark") from error
    if not words:
        raise UsageError("--job names no job", next="--job 'fib --size 20000'")
    return words


def _split(setting: str) -> tuple[Path, str]:
    path: list[str | int] = []
    at = 0
    while match := _PART.match(setting, at):
        key, index, quoted = match.groups()
        path.append(int(index) if index else key or _unquoted(quoted))
        at = match.end()
    if (
        not 0 < len(path) <= document.DEEPEST
        or setting[at : at + 1] != "="
        or setting.startswith((".", "["))
    ):
        raise UsageError(f"--set {setting!r} is not a path, an equals sign and a value", next=_FORM)
    return tuple(path), setting[at + 1 :]


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


def _put(data: Any, path: Path, value: Any) -> list[Problem]:
    """Set the value at a path; make the missing mappings and lists on the way."""
    for at, part in enumerate(path):
        wrong = _cannot_hold(data, part)
        if wrong:
            return [Problem(path[: at + 1], wrong)]
        last = at == len(path) - 1
        following: Any = [] if not last and isinstance(path[at + 1], int) else {}
        new = value if last else following
        if isinstance(data, list):
            if part == len(data):
                data.append(new)
            elif last:
                data[int(part)] = value
        elif last or data.get(part) is None:
            data[part] = new
        data = data[part]
    return []


def _cannot_hold(holder: Any, part: str | int) -> str | None:
    """Why a value cannot have this part; None if it can."""
    if isinstance(holder, list):
        if not isinstance(part, int):
            return "is below a list: name an item, such as [0]"
        if part > len(holder):
            return f"the list has only {len(holder)} items: the next is [{len(holder)}]"
        return None
    if not isinstance(holder, dict):
        return "is below a plain value, which has no fields"
    return "is no list" if isinstance(part, int) else None
