"""What `raykit validate` reads: files, the YAML files of folders, and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from raykit.errors import UsageError
from raykit.files import resolved
from raykit.flows.validating import kustomize
from raykit.manifests.judging import reading
from raykit.spec import load

STDIN, _STDIN_NAME = "-", "stdin"
SUFFIXES = frozenset({".yaml", ".yml"})
MOST_ENTRIES = 20_000
CHART, TESTDATA = "Chart.yaml", "testdata"
DEEPEST_IN_CHART = 2
"""Levels below a chart's folder at which a folder that the user names counts as the chart's."""


@dataclass(frozen=True)
class Input:
    """One text to judge.

    named: the user named it, so that it must be a spec or manifests. patch: a kustomization uses it
    as a patch. built: it is the output of a kustomization; error: why there is none.
    """

    file: str
    data: bytes
    named: bool
    patch: bool = False
    built: bool = False
    error: str = ""


@dataclass
class Inputs:
    """All texts, in order.

    charts: how many Helm charts the folders hold, which are passed over. unbuilt: how many
    kustomizations are judged only by their files, since kubectl is absent.
    """

    texts: list[Input] = field(default_factory=list)
    charts: int = 0
    unbuilt: int = 0


def collect(paths: Iterable[Path]) -> Inputs:
    """Read files, the YAML files of folders, and `-`, standard input; build kustomizations.

    Errors: UsageError (2) if something cannot be read.
    """
    inputs = Inputs()
    for path in dict.fromkeys(paths):
        if str(path) == STDIN:
            inputs.texts.append(Input(_STDIN_NAME, _standard_input(), True))
        elif path.is_dir():
            files, charts = _yaml_files(path)
            inputs.texts += [_read(file, False) for file in files]
            inputs.charts += charts
        else:
            inputs.texts.append(_read(path, True))
    _build(inputs)
    return inputs


def _build(inputs: Inputs) -> None:
    """Put the output of each kustomization that changes its resources in its place."""
    files = [Path(text.file) for text in inputs.texts if text.file != _STDIN_NAME]
    changing = kustomize.changing(files)
    if not kustomize.can_build():
        inputs.unbuilt, changing = len(changing), []
    built = {str(file): kustomize.build(file) for file in changing}
    patches = kustomize.patches(files)
    for place, text in enumerate(inputs.texts):
        if text.file in built:
            made = built[text.file]
            inputs.texts[place] = Input(text.file, made.output, False, False, True, made.error)
        elif not text.named and resolved(Path(text.file)) in patches:
            inputs.texts[place] = replace(text, patch=True)


def _read(path: Path, named: bool) -> Input:
    return Input(str(path), load.read(path, reading.LONGEST), named)


def _standard_input() -> bytes:
    """Errors: UsageError (2) if there is none, as after `<&-`."""
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
    if any((parent / CHART).is_file() for parent in resolved(folder).parents[:DEEPEST_IN_CHART]):
        return [], 1
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
