"""Environment variables and metadata for a job: reads `KEY=VALUE` words and files, checks them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from raykit import files
from raykit.errors import UsageError

LONGEST_FILE = 256 * 1024
OWN_MARKS = "raykit"
"""The beginning of the keys that raykit itself puts into a job's metadata."""
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXTENDED_PATH = re.compile(r"\$\{?PATH\b")
BREAKING = {
    "PYTHONHOME": "Ray's workers would not find their Python",
    "RAY_AUTH_MODE": "Ray's workers need the cluster's own",
    "RAY_AUTH_TOKEN": "Ray's workers need the cluster's own",
}
"""Variables that keep every worker of the job from starting: it would stay PENDING for minutes."""


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """KEY=VALUE words as a mapping. option: the option that takes them.

    Errors: UsageError (2) with every word that has no `=` or is not UTF-8.
    """
    wrong = [word for word in words if not word.partition("=")[0] or "=" not in word]
    wrong += [shown(word) for word in words if not is_text(word)]
    if wrong:
        raise UsageError(
            f"{option} takes KEY=VALUE", evidence=wrong, next=f"{option} KEY=VALUE, once for each"
        )
    return dict(word.split("=", 1) for word in words)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Errors: UsageError (2) with every reserved key and every text that is not UTF-8."""
    wrong = [
        f"{shown(key)}: reserved for raykit"
        if key.startswith(OWN_MARKS)
        else f"{shown(key)}: not UTF-8 text"
        for key, value in metadata.items()
        if key.startswith(OWN_MARKS) or not (is_text(key) and is_text(value))
    ]
    if wrong:
        raise UsageError(
            "the metadata cannot be stored",
            evidence=wrong,
            next="--metadata KEY=VALUE, with another KEY",
        )


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file with one KEY=VALUE a line.

    Blank lines and lines that begin with `#` are skipped; a leading `export` and quotes around a
    whole value are removed. Lines that docker and shells read in different ways are refused.

    Errors: UsageError (2) with every refused line; values are never shown.
    """
    try:
        lines = read_text(path).removeprefix("\ufeff").split("\n")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the environment file {path} cannot be read",
            evidence=[reason(error)],
            next="--env-file takes a text file of KEY=VALUE lines",
        ) from error
    variables: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        plain = line.strip()
        if plain and not plain.startswith("#"):
            try:
                variables |= _assignment(plain)
            except ValueError as wrong:
                problems.append(f"line {number}: {wrong}")
    if problems:
        raise UsageError(
            f"{path} holds lines that are not KEY=VALUE",
            evidence=problems,
            next="KEY=VALUE or export KEY=VALUE; quotes around a value with blanks",
        )
    return variables


def is_text(word: str) -> bool:
    """Whether a text can be sent: it came from UTF-8 and holds no NUL."""
    return "\0" not in word and shown(word) == word


def shown(word: str) -> str:
    """A text that can be printed: bytes that are not UTF-8 become escapes."""
    return word.encode("utf-8", "backslashreplace").decode()


def _assignment(line: str) -> dict[str, str]:
    """The variable of one line. Errors: ValueError with the reason, but never with the value."""
    name, equals, value = re.sub(r"\Aexport\s+", "", line).partition("=")
    if not equals:
        raise ValueError("has no =")
    if not ENV_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a variable name")
    quote = value[:1]
    if quote and quote in "'\"":
        if len(value) < 2 or not value.endswith(quote) or quote in value[1:-1]:
            raise ValueError(f"the value of {name} has quotes inside it or only on one side")
        return {name: value[1:-1]}
    if re.search(r"\s#", value):
        raise ValueError(f"the value of {name} holds ` #`: quote it, or drop the comment")
    return {name: value}


def problems_of(env_vars: Mapping[str, str]) -> Iterator[str]:
    """One line for each variable that is misnamed or would break Ray's workers."""
    for name, value in env_vars.items():
        if not ENV_NAME.fullmatch(name):
            yield f"{shown(name)}: is not a variable name: letters, digits and _"
        elif name in BREAKING:
            yield f"{name}: {BREAKING[name]}"
        elif name == "PATH" and not EXTENDED_PATH.search(value):
            yield "PATH: Ray's workers would not find Python; extend it: PATH=/my/bin:${PATH}"


def read_text(path: Path) -> str:
    """The text of a small file. Errors: OSError; ValueError if it is too long or not UTF-8."""
    return files.read_small(path, LONGEST_FILE).decode("utf-8")


def reason(error: Exception) -> str:
    """Why a file could not be read, as a line of evidence."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8: byte {error.start + 1}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
