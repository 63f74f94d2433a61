"""What can go wrong, and the exit code that says so.

RaykitError                     1    a bug in raykit (never raised bare)
├── UsageError                  2    wrong usage
├── SpecError                   3    a spec is invalid: every problem at once
├── MissingError                4    something is missing before we start
├── KubernetesError             5    Kubernetes refused, or was not ready in time
├── JobsApiError                6    Ray Jobs API unreachable, refused, or not authorised
├── RecordError                 7    a run record is missing, unreadable or could not be written
├── ConflictError               8    drift, or something that exists differs
├── DataError                   9    input data corrupt, incomplete or unreadable
├── ConditionError             10    a condition given by --fail-if holds
├── JobFailedError             20    the user's job FAILED
├── JobStoppedError            21    the user's job was STOPPED
├── JobTimeoutError            22    the user's job still runs after --timeout
└── InterruptedByUserError    130    Ctrl-C or SIGTERM while following

Codes below 20 concern raykit or the platform, codes from 20 on the job. The table in
`docs/exit-codes.md` has the texts of EXIT_CODES.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class RaykitError(Exception):
    """An error that the command line prints.

    what: one line that says what is wrong. evidence: lines that show it. next: one line with the
    command to run now; empty if there is none. also: what else is wrong in the same place; it
    changes nothing about the exit code.
    """

    exit_code: ClassVar[int] = 1
    also: tuple[RaykitError, ...] = ()

    def __init__(self, what: str, *, evidence: Sequence[str] = (), next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.evidence = tuple(evidence)
        self.next = next

    def as_dict(self) -> dict[str, object]:
        """The error as the `error` object of a JSON envelope."""
        return {
            "kind": type(self).__name__,
            "exit_code": self.exit_code,
            "what": self.what,
            "evidence": list(self.evidence),
            "next": self.next,
            "also": [other.as_dict() for other in self.also],
        }


class Interrupt(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP reached the command.

    Not an Exception, so that nothing swallows it.
    """


INTERRUPTS = (KeyboardInterrupt, Interrupt)


class UsageError(RaykitError):
    exit_code = 2


class SpecError(RaykitError):
    exit_code = 3


class MissingError(RaykitError):
    exit_code = 4


class KubernetesError(RaykitError):
    exit_code = 5


class JobsApiError(RaykitError):
    exit_code = 6


class RecordError(RaykitError):
    exit_code = 7


class ConflictError(RaykitError):
    exit_code = 8


class DataError(RaykitError):
    exit_code = 9


class ConditionError(RaykitError):
    exit_code = 10


class JobFailedError(RaykitError):
    exit_code = 20


class JobStoppedError(RaykitError):
    exit_code = 21


class JobTimeoutError(RaykitError):
    exit_code = 22


class InterruptedByUserError(RaykitError):
    exit_code = 130


EXIT_CODES: dict[int, str] = {
    0: "done; the job SUCCEEDED",
    1: "a bug in raykit",
    2: "wrong usage",
    3: "spec invalid: every problem is listed, with its path and line",
    4: "something is missing before we start; the message has the command that mends it",
    5: "Kubernetes refused, or was not ready in time; the reason comes from pods and events",
    6: "Ray Jobs API unreachable, refused, or not authorised",
    7: "a run record is missing, unreadable, not comparable, or could not be written",
    8: "drift, or a conflict with something that exists and differs",
    9: "input data corrupt, incomplete or unreadable; or the job started and never gave a result",
    10: "a condition given by `--fail-if` holds",
    20: "your job FAILED",
    21: "your job was STOPPED",
    22: "your job still runs after `--timeout`",
    130: "Ctrl-C or SIGTERM while following",
}
