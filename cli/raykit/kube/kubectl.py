"""kubectl command lines that people can paste from an error message."""

from __future__ import annotations

import shlex


def kubectl(context: str, namespace: str | None = None) -> str:
    """The beginning of a kubectl command for a context and, where given, a namespace."""
    words = ["kubectl", "--context", context, *(["-n", namespace] if namespace else [])]
    return shlex.join(words)
