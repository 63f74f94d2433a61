"""What to do about a job's failure that many meet first, read from the last lines of its log."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

NO_FILE = re.compile(r"can't open file '(?:[^']*/)?([^'/]+)': \[Errno 2\]")
NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def advice(lines: Sequence[str]) -> str | None:
    """One line to run or to change; None where the log names no cause that is known here."""
    text = "\n".join(lines)
    if found := NO_FILE.search(text):
        file = shlex.quote(f"./{found[1]}")
        return f"the file is not where the job runs: raykit submit {file}, or --working-dir ."
    if found := NO_MODULE.search(text):
        name = found[1].partition(".")[0]
        return f"--pip {name} installs it for the job; a module of yours goes with --working-dir ."
    return None
