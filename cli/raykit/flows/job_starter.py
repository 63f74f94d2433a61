"""`raykit init job`: write a job of one's own, with the timing format and a test."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from raykit import kit
from raykit.errors import ConflictError, MissingError, UsageError
from raykit.submission.uploads import LOADED_BY_WORKERS

TEMPLATE = Path(__file__).with_name("job_template")
NAME_OF_TEMPLATE = "my_job"
NAME = re.compile("[a-z][a-z0-9_]{0,39}", re.ASCII)
TAKEN = frozenset({"timing", "raykit", "pytest", "conftest", "jobs"})
"""Modules that the job or its test imports, besides those of Python and Ray."""


def write(name: str, folder: Path) -> list[Path]:
    """Write a job, the module that writes its timing lines, and its test, into a new folder.

    name: of the job, its module and the folder that is made in `folder`. Returns the files.

    Errors: UsageError (2) for a name that no module of its own can have, ConflictError (8) if the
    folder exists already, MissingError (4) if it cannot be written.
    """
    _check(name)
    files = {
        f"{name}.py": (TEMPLATE / "my_job.py.txt").read_text("utf-8"),
        "timing.py": (kit.root() / "jobs" / "timing.py").read_text("utf-8"),
        f"test_{name}.py": (TEMPLATE / "test_my_job.py.txt").read_text("utf-8"),
    }
    target = folder / name
    try:
        target.mkdir()
        for file, text in files.items():
            (target / file).write_text(text.replace(NAME_OF_TEMPLATE, name), "utf-8")
    except FileExistsError as exists:
        raise ConflictError(
            f"{target} exists already", next="raykit init job ANOTHER_NAME"
        ) from exists
    except OSError as refused:
        raise MissingError(
            f"{target} cannot be written", evidence=[str(refused)], next="choose another folder"
        ) from refused
    return [target / file for file in files]


def _check(name: str) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"a job cannot be called {name!r}",
            evidence=["a Python module: a-z, 0-9 and _, a letter first, 40 at most, no keyword"],
            next="raykit init job my_job",
        )
    if name in TAKEN | LOADED_BY_WORKERS | sys.stdlib_module_names or name.startswith("test_"):
        raise UsageError(
            f"a job cannot be called {name}",
            evidence=["a module of Python, Ray or the job's test has that name"],
            next=f"raykit init job my_{name}",
        )
