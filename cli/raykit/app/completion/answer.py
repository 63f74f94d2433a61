"""`raykit __complete`: the words typed so far in, candidates for the last one out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from raykit.app import output
from raykit.app.completion import tree
from raykit.app.completion.candidates import Candidate, candidates
from raykit.app.completion.shells import Shell

COMMAND = "__complete"
NO_FILES, MAYBE_FILES = ":4", ":0"
"""What kubectl's shell scripts do after a plugin's candidates; theirs are cobra's directives."""


def answer(words: Sequence[str]) -> None:
    """Print the candidates for a shell, one a line: the word, a tab, what it is.

    words: the shell, then the words after `raykit`, of which the last is to be completed. bash
    gives the characters that break words, then the line up to the cursor.
    """
    shell, *rest = words or [""]
    if shell == Shell.bash:
        lines = _for_bash(*rest[:2]) if len(rest) > 1 else []
    else:
        lines = _with_descriptions(_candidates(rest))
    _print(lines)


def answer_kubectl(words: Sequence[str]) -> None:
    """Print the candidates for `kubectl raykit`, and whether kubectl should offer files."""
    lines = _with_descriptions(_candidates(words))
    _print([*lines, NO_FILES if lines else MAYBE_FILES])


def _candidates(words: Sequence[str]) -> list[Candidate]:
    """The candidates whose text a line can hold."""
    found = candidates(tree.load(), words or [""])
    return [one for one in found if one.text.isprintable()]


def _with_descriptions(found: Sequence[Candidate]) -> list[str]:
    return [f"{one.text}\t{_printable(one.about)}" if one.about else one.text for one in found]


def _printable(text: str) -> str:
    """A description, which may come from another user's record, without what moves a cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _for_bash(breaks: str, line: str) -> list[str]:
    """The candidates as bash inserts them: quoted, without what stands before the last break."""
    words, in_quotes = _split(line)
    texts = [one.text for one in _candidates(words[1:])]
    if in_quotes:
        return texts
    kept = max((words[-1].rfind(character) for character in breaks), default=-1) + 1
    return [shlex.quote(text[kept:]) if text[kept:] else text for text in texts]


def _split(line: str) -> tuple[list[str], bool]:
    """The words of a line, the last one perhaps empty; whether the line ends within quotes."""
    for closing in ("", "'", '"'):
        # A mark in place of the cursor: without it, a space at the end would start no word.
        try:
            words = shlex.split(f"{line}\0{closing}")
        except ValueError:
            continue
        return [*words[:-1], words[-1].replace("\0", "")], bool(closing)
    return [line, ""], False


def _print(lines: Sequence[str]) -> None:
    if lines:
        output.raw("".join(f"{line}\n" for line in lines).encode())
