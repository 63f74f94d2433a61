"""What the command line changes in a spec: `--set PATH=VALUE` and `--job 'NAME ARGUMENTS'`."""

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
    """Set values in a spec's plain data, one after the other; what is wrong with them, by path.

    settings: texts `PATH=VALUE`; the value is YAML, read as strictly as a spec. A list takes one
    item more than it has. Errors: UsageError (2) where a text has another form.
    """
    problems: list[Problem] = []
    for setting in settings:
        path, text = _split(setting)
        read = document.parse(text)
        found = [Problem((*path, *each.path), each.message) for each in read.problems]
        empty = read.value is None and not found
        if empty or any(each.message == "is empty" for each in read.problems):
            found = [Problem(path, 'has no value: give one; an empty text is ""')]
        problems += found or _put(data, path, read.value)
    return problems


def add_jobs(data: dict[str, Any], jobs: Sequence[str]) -> None:
    """Add a job to a spec's plain data for each text, such as `fib --size 20000`.

    A job is named after what it runs, with a number where the spec has that name already.
    Errors: UsageError (2) where a text holds no job.
    """
    held = data.setdefault("jobs", []) if jobs else []
    for text in jobs:
        name, *arguments = _words(text)
        taken = {each["name"] for each in held}
        free = (name if at == 1 else f"{name}-{at}" for at in range(1, len(taken) + 2))
        own = next(each for each in free if each not in taken)
        held.append({"name": own, "job": name, "arguments": arguments})


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
    """Set the value at a path, with mappings made on the way where there is nothing yet."""
    for at, part in enumerate(path):
        wrong = _no_place(data, part)
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


def _no_place(holder: Any, part: str | int) -> str | None:
    if isinstance(holder, list):
        if not isinstance(part, int):
            return "is below a list: name an item, such as [0]"
        if part > len(holder):
            return f"the list has only {len(holder)} items: the next is [{len(holder)}]"
        return None
    if not isinstance(holder, dict):
        return "is below a plain value: nothing can stand there"
    return "is no list" if isinstance(part, int) else None
