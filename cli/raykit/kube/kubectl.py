"""kubectl commands for error messages, ready to paste."""

from __future__ import annotations

import shlex


def kubectl(context: str, namespace: str | None = None) -> str:
    """The beginning of a kubectl command, with `--context` and, if given, `-n NAMESPACE`."""
    words = ["kubectl", "--context", context, *(["-n", namespace] if namespace else [])]
    return shlex.join(words)
