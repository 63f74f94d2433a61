"""Advice on frequent first failures of a job, from the last lines of its log."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

NO_FILE = re.compile(r"can't open file '(?:[^']*/)?([^'/]+)': \[Errno 2\]")
NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def advice(lines: Sequence[str]) -> str | None:
    """One line of advice; None if the log shows no cause that is known here."""
    text = "\n".join(lines)
    if match := NO_FILE.search(text):
        file = shlex.quote(f"./{match[1]}")
        return f"the file is not where the job runs: raykit submit {file}, or --working-dir ."
    if match := NO_MODULE.search(text):
        name = match[1].partition(".")[0]
        return f"--pip {name} installs it for the job; --working-dir . uploads your own modules"
    return None
