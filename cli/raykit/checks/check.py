"""A check: one thing that raykit needs, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from raykit.errors import KubernetesError, MissingError, RaykitError


class State(StrEnum):
    """ok: it is as raykit needs it. warn: something that only some commands need is missing.
    fail: raykit cannot work like this. skipped: it could not be checked, and `what` says why."""

    ok = "ok"
    warn = "warn"
    fail = "fail"
    skipped = "skipped"


@dataclass(frozen=True)
class Check:
    """How one thing stands.

    what: one line. evidence: lines that show it. next: the command that mends it; empty if there
    is none. exit_code: of the error that a command which needs it would end with; 0 unless failed.
    """

    name: str
    state: State
    what: str
    evidence: tuple[str, ...] = ()
    next: str = ""
    exit_code: int = 0

    @property
    def error(self) -> RaykitError:
        """A failed check as the error of a command that needs it."""
        kind = MissingError if self.exit_code == MissingError.exit_code else KubernetesError
        return kind(self.what, evidence=self.evidence, next=self.next)

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "state": self.state.value,
            "what": self.what,
            "evidence": list(self.evidence),
            "next": self.next,
        }


def ok(name: str, what: str, evidence: Iterable[str] = ()) -> Check:
    return Check(name, State.ok, what, tuple(evidence))


def skipped(name: str, what: str, evidence: Iterable[str] = (), next: str = "") -> Check:
    return Check(name, State.skipped, what, tuple(evidence), next)


def warning(name: str, what: str, evidence: Iterable[str] = (), next: str = "") -> Check:
    return Check(name, State.warn, what, tuple(evidence), next)


def missing(name: str, what: str, evidence: Iterable[str] = (), next: str = "") -> Check:
    """A failed check: something is missing."""
    return Check(name, State.fail, what, tuple(evidence), next, MissingError.exit_code)


def refused(name: str, what: str, evidence: Iterable[str] = (), next: str = "") -> Check:
    """A failed check: Kubernetes refuses."""
    return Check(name, State.fail, what, tuple(evidence), next, KubernetesError.exit_code)


def of_error(name: str, error: RaykitError) -> Check:
    """The failed check that says what an error says."""
    return Check(name, State.fail, error.what, error.evidence, error.next, error.exit_code)


def as_warning(check: Check, needed_by: str) -> Check:
    """The check, where a failure only concerns some commands. needed_by: those commands."""
    if check.state is not State.fail:
        return check
    evidence = (*check.evidence, f"needed by {needed_by}")
    return replace(check, state=State.warn, evidence=evidence, exit_code=0)
