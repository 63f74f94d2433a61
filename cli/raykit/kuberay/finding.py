"""Why something in a cluster is not ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Why something is not ready.

    key: the same as long as it is the same reason; what: one line; next: the command that mends it.
    patience: seconds it may last before waiting on makes no sense; None where it may pass by
    itself. log: namespace, pod, container and whether its previous run, whose last lines explain.
    """

    key: str
    what: str
    evidence: tuple[str, ...] = ()
    next: str = ""
    patience: float | None = None
    log: tuple[str, str, str, bool] | None = None
