"""Environment variables for a job: `KEY=VALUE` words and files, and what can be sent as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from raykit.errors import UsageError

LONGEST_FILE = 256 * 1024
OWN_MARKS = "raykit"
"""How the keys begin that raykit itself puts into a job's metadata."""
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXTENDED_PATH = re.compile(r"\$\{?PATH\b")
BREAKING = {
    "PYTHONHOME": "Ray's workers would not find their Python",
    "RAY_AUTH_MODE": "Ray's workers need the cluster's own",
    "RAY_AUTH_TOKEN": "Ray's workers need the cluster's own",
}
"""Variables with which no worker of the job starts: it would stay PENDING for minutes."""


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """K=V words as a mapping. Errors: UsageError (2) for words without `=`, and for bad bytes."""
    wrong = [word for word in words if not word.partition("=")[0] or "=" not in word]
    wrong += [shown(word) for word in words if not is_text(word)]
    if wrong:
        raise UsageError(
            f"{option} takes KEY=VALUE", evidence=wrong, next=f"{option} KEY=VALUE, once for each"
        )
    return dict(word.split("=", 1) for word in words)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse what Ray could not keep. Errors: UsageError (2)."""
    wrong = [
        f"{shown(key)}: raykit's own mark"
        if key.startswith(OWN_MARKS)
        else f"{shown(key)}: no text"
        for key, value in metadata.items()
        if key.startswith(OWN_MARKS) or not (is_text(key) and is_text(value))
    ]
    if wrong:
        raise UsageError(
            "the metadata cannot be kept",
            evidence=wrong,
            next="--metadata KEY=VALUE, with another KEY",
        )


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file, as a shell reads them where it only assigns.

    Blank lines and lines that begin with `#` are skipped; a leading `export` and quotes around a
    whole value are taken off. What docker and shells read in different ways is refused.

    Errors: UsageError (2) naming each line that is refused; values are never shown.
    """
    try:
        lines = read_text(path).removeprefix("\ufeff").split("\n")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the file of variables {path} cannot be read",
            evidence=[reason(error)],
            next="--env-file takes a text file of KEY=VALUE lines",
        ) from error
    found: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        plain = line.strip()
        if plain and not plain.startswith("#"):
            try:
                found |= _assignment(plain)
            except ValueError as wrong:
                problems.append(f"line {number}: {wrong}")
    if problems:
        raise UsageError(
            f"{path} holds lines that are no KEY=VALUE",
            evidence=problems,
            next="KEY=VALUE or export KEY=VALUE; quotes around a value with blanks",
        )
    return found


def is_text(word: str) -> bool:
    """Whether a text can be sent: it came from bytes that are UTF-8, and holds no NUL."""
    return "\0" not in word and shown(word) == word


def shown(word: str) -> str:
    """A text as it can be printed: bytes that are not UTF-8 as escapes."""
    return word.encode("utf-8", "backslashreplace").decode()


def _assignment(line: str) -> dict[str, str]:
    """The variable of one line. Errors: ValueError with what is wrong; it names no value."""
    name, equals, value = (
        re.sub(r"export\s+", "", line, count=1).partition("=")
        if (line.startswith("export"))
        else line.partition("=")
    )
    if not equals:
        raise ValueError("has no =")
    if not ENV_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a variable")
    quote = value[:1]
    if quote and quote in "'\"":
        if len(value) < 2 or not value.endswith(quote) or quote in value[1:-1]:
            raise ValueError(f"the value of {name} has a quote that does not end it")
        return {name: value[1:-1]}
    if re.search(r"\s#", value):
        raise ValueError(f"the value of {name} holds ` #`: quote it, or drop the comment")
    return {name: value}


def problems_of(env_vars: Mapping[str, str]) -> Iterator[str]:
    for name, value in env_vars.items():
        if not ENV_NAME.fullmatch(name):
            yield f"{shown(name)}: is no name of a variable: letters, digits and _"
        elif name in BREAKING:
            yield f"{name}: {BREAKING[name]}"
        elif name == "PATH" and not EXTENDED_PATH.search(value):
            yield "PATH: Ray's workers would not find Python; extend it: PATH=/my/bin:${PATH}"


def read_text(path: Path) -> str:
    """A small text file. Errors: OSError; ValueError where it is too long or not UTF-8."""
    with path.open("rb") as stream:
        data = stream.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        raise ValueError(f"it is longer than {LONGEST_FILE // 1024} KiB")
    return data.decode("utf-8")


def reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8: byte {error.start + 1}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
