"""Read and merge the user's kubeconfig files as kubectl does. Errors name file and line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from raykit import files
from raykit.errors import MissingError

DEFAULT = "~/.kube/config"
DEEPEST = 100
LONGEST = 16 << 20
"""Bytes of one file; a thousand clusters with their certificates have a tenth of that."""
SECTIONS = ("clusters", "contexts", "users")
FILES_OF = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
"""Keys with paths of files; relative ones start at the folder of their kubeconfig."""

Entry = dict[str, Any]


@dataclass
class Kubeconfig:
    """All files of KUBECONFIG merged; of two entries with one name the first counts."""

    current: str | None = None
    clusters: dict[str, Entry] = field(default_factory=dict)
    contexts: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)


def paths() -> list[Path]:
    """The files that kubectl would read, whether they exist or not."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    # Path.expanduser fails on ~ and a name that no user has.
    return [Path(os.path.expanduser(part)) for part in named or [DEFAULT]]  # noqa: PTH111


def load() -> Kubeconfig | None:
    """The merged kubeconfig; None if no file exists.

    Errors: MissingError (4) with file and line if one cannot be read or is malformed.
    """
    files = [path for path in paths() if _exists(path)]
    if not files:
        return None
    merged = Kubeconfig()
    for path in files:
        _merge(merged, path, *_read(path))
    return merged


def has_context() -> bool:
    """Whether there is a kubeconfig with a current context."""
    merged = load()
    return bool(merged and merged.current)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # We may not enter its folder, or no file can have this name: reading it gives the reason.
        return True


def _read(path: Path) -> tuple[str, Entry]:
    """The file's text and its content."""
    try:
        text = files.read_small(path, LONGEST).decode("utf-8-sig")
        content = _parsed(text)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = mark.line + 1 if mark else 1
        raise _malformed(path, line, wrong.problem or wrong.context) from wrong
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise _malformed(path, 1, str(wrong).splitlines()[0]) from wrong
    except (OSError, ValueError) as wrong:
        raise MissingError(f"cannot read the kubeconfig {path}", evidence=[str(wrong)]) from wrong
    if content is None:
        return text, {}
    if not isinstance(content, dict):
        raise _malformed(path, 1, "it is not a mapping")
    return text, content


def _parsed(text: str) -> object:
    """The content of a YAML text.

    Errors: yaml.YAMLError, also for texts on which PyYAML itself fails: deep nesting, impossible
    dates and numbers, mappings as keys.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_depth(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)
    except RecursionError as deep:
        raise yaml.YAMLError("it contains itself") from deep
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as wrong:
        if isinstance(wrong, UnicodeError):
            raise
        raise yaml.YAMLError(f"it holds a value that YAML cannot read: {wrong}") from wrong


def _refuse_depth(events: Iterable[yaml.Event]) -> None:
    """Refuse deep nesting: libyaml crashes the process on tens of thousands of levels."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")


def _merge(merged: Kubeconfig, path: Path, text: str, content: Entry) -> None:
    merged.current = merged.current or _current(content, path, text)
    for section in SECTIONS:
        singular = section.removesuffix("s")
        known: dict[str, Entry] = getattr(merged, section)
        for item in _items(content, section, path, text):
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(name, str):
                raise _malformed(path, _line(text, section), f"an entry of {section} has no name")
            entry = item.get(singular)
            if entry is not None and not isinstance(entry, dict):
                what = f"{singular} of {name} is not a mapping"
                raise _malformed(path, _line(text, section), what)
            known.setdefault(name, _absolute(entry or {}, section, path.parent))


def _current(content: Entry, path: Path, text: str) -> str | None:
    current = content.get("current-context")
    if current is not None and not isinstance(current, str):
        raise _malformed(path, _line(text, "current-context"), "current-context is not a text")
    return current or None


def _items(content: Entry, section: str, path: Path, text: str) -> Sequence[Any]:
    items = content.get(section) or []
    if not isinstance(items, list):
        raise _malformed(path, _line(text, section), f"{section} is not a list")
    return items


def _absolute(entry: Entry, section: str, folder: Path) -> Entry:
    def placed(path: str) -> str:
        return str(folder / path)

    changed: Entry = {
        key: placed(entry[key])
        for key in FILES_OF.get(section, ())
        if entry.get(key) and isinstance(entry[key], str)
    }
    if section == "users":
        changed |= _placed_program(entry.get("exec"), placed)
    return {**entry, **changed}


def _placed_program(program: object, placed: Callable[[str], str]) -> Entry:
    command = program.get("command") if isinstance(program, dict) else None
    if not isinstance(program, dict) or not isinstance(command, str) or "/" not in command:
        return {}
    return {"exec": {**program, "command": placed(command)}}


def _line(text: str, section: str) -> int:
    lines = text.splitlines()
    return next((at for at, line in enumerate(lines, 1) if line.startswith(section)), 1)


def _malformed(path: Path, line: int, problem: str | None) -> MissingError:
    return MissingError(
        f"the kubeconfig is malformed at {path}:{line}",
        evidence=[problem or "it is not YAML"],
        next="kubectl config view",
    )
