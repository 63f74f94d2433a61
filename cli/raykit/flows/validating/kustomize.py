"""Kustomizations below a folder, built by `kubectl kustomize`, so that what they change is judged.

A build reads nothing from the network: kustomizations that name an address anywhere are left
out, and so are those with generators, transformers or validators, whose files may name one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raykit import processes
from raykit.errors import RaykitError
from raykit.files import resolved

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHANGING = (
    *("components", "images", "namePrefix", "nameSuffix", "patches", "patchesJson6902"),
    *("patchesStrategicMerge", "replacements", "replicas"),
)
"""Keys with which objects come out otherwise than they stand in files."""
HOLDING = ("resources", "components", "bases")
PATCHING = ("patches", "patchesJson6902", "patchesStrategicMerge")
NEEDS_MORE = (
    *("helmCharts", "helmChartInflationGenerator", "generators", "transformers", "validators"),
)
TEXTS = ("commonAnnotations", "commonLabels", "labels", "literals")
"""Keys of texts that kustomize reads no file by."""
SECONDS = 60
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Built:
    """The output of a kustomization. error: why it does not build; then there is no output."""

    file: Path
    output: bytes = b""
    error: str = ""


def patches(files: Iterable[Path]) -> set[Path]:
    """The files that kustomizations among some files use as patches: no manifests by themselves."""
    found = set()
    for file in files:
        if file.name in NAMES:
            found |= {resolved(file.parent / name) for name in _patch_files(_read(file))}
    return found


def changing(files: Iterable[Path]) -> list[Path]:
    """The kustomizations that change what they hold, and that can be built here."""
    return [
        file
        for file in files
        if file.name in NAMES
        and _read(file).get("kind", "Kustomization") == "Kustomization"
        and any(_read(file).get(key) for key in CHANGING)
        and _is_local(file, set())
    ]


def can_build() -> bool:
    """Whether kubectl, which builds kustomizations, is on PATH."""
    return shutil.which("kubectl") is not None


def build(file: Path) -> Built:
    """Build one kustomization. Raises nothing: the result has the error."""
    words = ["kubectl", "kustomize", "--", str(file.parent)]
    try:
        done = processes.run(words, check=False, timeout=SECONDS)
    except RaykitError as error:
        return Built(file, error=error.what)
    if done.returncode == 0:
        return Built(file, done.stdout.encode())
    lines = done.stderr.strip().splitlines() or ["kubectl kustomize gives no reason"]
    return Built(file, error=lines[-1])


def _read(file: Path) -> dict[str, Any]:
    """A kustomization; empty if it cannot be read: building says why."""
    try:
        data = yaml.load(file.read_bytes(), _LOADER)
    except (OSError, yaml.YAMLError, LookupError, ValueError, OverflowError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _patch_files(kustomization: dict[str, Any]) -> Sequence[str]:
    found = []
    for key in PATCHING:
        for patch in _texts_and_mappings(kustomization.get(key)):
            name = patch if isinstance(patch, str) else patch.get("path")
            if isinstance(name, str) and "\n" not in name and "\0" not in name:
                found.append(name)
    return found


def _texts_and_mappings(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str | dict)]


def _is_local(file: Path, seen: set[Path]) -> bool:
    """Whether a kustomization, with all that it holds, lies in files of this machine."""
    kustomization = _read(file)
    if any(kustomization.get(key) for key in NEEDS_MORE) or _names_an_address(kustomization):
        return False
    for key in HOLDING:
        for name in _texts_and_mappings(kustomization.get(key)):
            if not isinstance(name, str) or "\0" in name:
                continue
            place = file.parent / name
            if not place.exists():
                # A missing file is the user's mistake, which the build reports; a URL is neither.
                if ":" in name or "?" in name or ".git" in name or name.startswith("github.com/"):
                    return False
                continue
            inner = next((place / each for each in NAMES if (place / each).is_file()), None)
            if inner is not None and resolved(inner) not in seen:
                seen.add(resolved(inner))
                if not _is_local(inner, seen):
                    return False
    return True


def _names_an_address(kustomization: dict[str, Any]) -> bool:
    """Whether a text by which kustomize may read a file is an address; True if it holds itself."""
    try:
        return any("://" in text for text in _single_lines(kustomization))
    except RecursionError:
        return True


def _single_lines(value: Any) -> Iterator[str]:
    """All texts of one line: those of several are patches, and name no file."""
    if isinstance(value, str) and "\n" not in value:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _single_lines(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in TEXTS:
                yield from _single_lines(item)
