"""What `raykit validate` reads: files, the YAML files of folders, and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from raykit.errors import UsageError
from raykit.manifests.judging import reading
from raykit.spec import load

STDIN = "-"
SUFFIXES = frozenset({".yaml", ".yml"})
MOST_ENTRIES = 20_000
CHART, TESTDATA = "Chart.yaml", "testdata"


@dataclass(frozen=True)
class Input:
    """One text to judge. named: the user named it, so that it must be a spec or manifests."""

    file: str
    data: bytes
    named: bool


@dataclass
class Inputs:
    """All texts, in order. charts: how many Helm charts the folders hold, which are passed over."""

    texts: list[Input] = field(default_factory=list)
    charts: int = 0


def collect(paths: Iterable[Path]) -> Inputs:
    """Read files, the YAML files of folders, and `-`, standard input.

    Errors: UsageError (2) where something cannot be read.
    """
    inputs = Inputs()
    for path in dict.fromkeys(paths):
        if str(path) == STDIN:
            inputs.texts.append(Input("stdin", _standard_input(), True))
        elif path.is_dir():
            files, charts = _yaml_files(path)
            inputs.texts += [_read(file, False) for file in files]
            inputs.charts += charts
        else:
            inputs.texts.append(_read(path, True))
    return inputs


def _read(path: Path, named: bool) -> Input:
    return Input(str(path), load.read(path, reading.LONGEST), named)


def _standard_input() -> bytes:
    """Errors: UsageError (2) where there is none, as after `<&-`."""
    try:
        if sys.stdin is None:
            raise OSError("it is closed")
        return sys.stdin.buffer.read(reading.LONGEST + 1)
    except OSError as unreadable:
        raise UsageError(
            f"standard input cannot be read: {unreadable}", next="raykit validate FILE…"
        ) from unreadable


def _yaml_files(folder: Path) -> tuple[list[Path], int]:
    """The YAML files below a folder, sorted, and the number of Helm charts left out.

    Hidden folders, `testdata` and links to folders are passed over. A chart's files become
    manifests only when Helm fills them in.
    Errors: UsageError (2) for a folder that cannot be listed, or that holds too many entries.
    """
    files: list[Path] = []
    waiting, seen, charts = [folder], 0, 0
    while waiting:
        here = waiting.pop()
        folders, own, count = _listed(here)
        seen += count
        if seen > MOST_ENTRIES:
            raise UsageError(
                f"{folder} holds more than {MOST_ENTRIES:,} entries",
                next="raykit validate deploy/: name the folder that holds the specs",
            )
        if here / CHART in own:
            charts += 1
        else:
            files += own
            waiting += folders
    return sorted(files), charts


def _listed(folder: Path) -> tuple[list[Path], list[Path], int]:
    """The folders and YAML files of a folder, and the number of all its entries."""
    try:
        entries = list(folder.iterdir())
        folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        files = [entry for entry in entries if entry.suffix in SUFFIXES and entry.is_file()]
    except OSError as unreadable:
        raise UsageError(
            f"the folder {folder} cannot be listed: {unreadable.strerror}",
            next="raykit validate FILE…, naming the files or a folder that may be read",
        ) from unreadable
    entered = [each for each in folders if not each.name.startswith(".") and each.name != TESTDATA]
    return entered, files, len(entries)
