"""What the arguments of KubeRay's operator say: the namespaces it watches, its feature gates.

Pure functions of its Deployment. Go's flags take one or two dashes, and their value after `=` or
as the next argument.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from raykit.objects import Object

WATCH, GATES, CONFIG = "watch-namespace", "feature-gates", "config"


def arguments(deployment: Object) -> list[str]:
    """The arguments of the operator's container."""
    template = (deployment.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return list(containers[0].get("args") or [])


def shown(deployment: Object) -> str:
    return f"its arguments: {shlex.join(arguments(deployment)) or 'none'}"


def watched(deployment: Object) -> list[str] | None:
    """The namespaces that the operator watches, empty for all; None if a file says it."""
    given = value(arguments(deployment), WATCH)
    if given is None and value(arguments(deployment), CONFIG) is not None:
        return None
    return names(given or "")


def names(text: str) -> list[str]:
    """The namespaces of a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def watches(deployment: Object, namespace: str) -> bool:
    """Whether the operator watches a namespace, as far as its arguments tell."""
    return not (names := watched(deployment)) or namespace in names


def gates(deployment: Object) -> dict[str, bool]:
    """The feature gates that its arguments set; others have their default."""
    pairs = (text.partition("=") for text in (value(arguments(deployment), GATES) or "").split(","))
    return {
        name.strip(): value.strip().lower() == "true" for name, equals, value in pairs if equals
    }


def value(words: Sequence[str], flag: str) -> str | None:
    """The value of a flag; the last one counts, as in Go. None if it is not given."""
    last = None
    for at, word in enumerate(words):
        name, equals, given = word.lstrip("-").partition("=")
        if word.startswith("-") and name == flag:
            last = given if equals else (words[at + 1] if at + 1 < len(words) else "")
    return last
