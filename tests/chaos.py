"""What a run under random faults is judged by: what raykit said of each submission, against what
a witness outside the cluster saw of its driver."""

from collections import Counter
from dataclasses import dataclass

HEAD, API_SERVER = "head", "API server"
ANSWER = "sum is 55"
"""The last line of the driver."""

LOST = "the head was lost before it said how the driver ended"
"""What raykit says of a lost head. Its driver may go on for seconds in the dying container."""

NOTICED_SECONDS = 3.0
"""So long after a driver's end Ray has noticed it, and raykit has asked."""


@dataclass
class Submission:
    """One `raykit submit`, what struck it, and what became of it.

    fault: what was killed. struck: what died by it, such as the head's pod with its Kubernetes
    node. seconds: from the start of raykit to the fault. over: raykit had ended by then. code: of
    raykit; None if it did not end. text: what it showed. status: the record's. began, ended: what
    the witness counted of the driver. struck_at: when the fault came, monotonic seconds; earlier:
    seconds by which the driver had ended before it. later: the code of `raykit attach` afterwards,
    if raykit ended while the job went on.
    """

    name: str
    fault: str
    seconds: float
    struck: frozenset = frozenset()
    over: bool = False
    code: int | None = None
    text: str = ""
    status: str | None = None
    began: int = 0
    ended: int = 0
    struck_at: float = 0.0
    earlier: float = 0.0
    later: int | None = None

    def __str__(self):
        with_it = ", ".join(sorted(self.struck - {self.fault}))
        hit = f"{self.fault} ({with_it})" if with_it else self.fault
        late = ", after its end" if self.over and self.struck else ""
        later = "" if self.later is None else f", raykit attach later: exit {self.later}"
        return (
            f"{self.name}: {hit} killed after {self.seconds:.1f} s{late}: exit {self.code}, "
            f"{self.status or 'no record'}, began {self.began}, ended {self.ended}{later}"
        )


def wrong(one):
    """What is wrong with how a submission ended; None if nothing is."""
    if one.began > 1:
        return f"it ran {one.began} times"
    if one.code not in OUTCOMES:
        return "nothing that struck explains this exit code"
    return OUTCOMES[one.code](one)


def _succeeded(one):
    if (one.began, one.ended) != (1, 1):
        return "it is said to have succeeded, and did not run to its end"
    if one.status != "SUCCEEDED":
        return "its record does not say that it succeeded"
    if ANSWER not in one.text:
        return "its last line is lost"
    return None


def _refused(one):
    if not one.struck & {HEAD, API_SERVER}:
        return "nothing that struck explains a refusal"
    if one.began or one.status not in (None, "NOT_SUBMITTED"):
        return "it is said to be refused, and ran or is recorded as sent"
    return None


def _unreachable(one):
    if not one.struck & {HEAD, API_SERVER}:
        return "nothing that struck explains silence"
    if one.status == "NOT_SUBMITTED":
        return "it is said not to be submitted, and ran" if one.began else None
    if "does not know the job" in one.text:
        return "the head that took it was lost, and raykit does not say so"
    if one.later == 0:
        return None if one.ended == 1 else "it is said to have succeeded later, and did not"
    if HEAD in one.struck and one.later in (6, 20):
        return None
    return "the job went on, and raykit does not find it again"


def _failed(one):
    if HEAD not in one.struck:
        return "nothing but a lost head may end a job"
    if LOST not in one.text or one.status != "FAILED":
        return "it does not say that the head was lost"
    if one.earlier > NOTICED_SECONDS:
        return "it says that nobody knows how the driver ended, which had ended long before"
    return None


OUTCOMES = {0: _succeeded, 5: _refused, 6: _unreachable, 20: _failed}


def figures(submissions, seconds):
    """What docs/faults.md says of a run: how many of each fault ended with each exit code."""
    faults = {}
    for one in submissions:
        faults.setdefault(one.fault, Counter())[str(one.code)] += 1
    return {
        "submits": len(submissions),
        "minutes": round(seconds / 60),
        "wrong": sum(map(bool, map(wrong, submissions))),
        "late": sum(one.over and bool(one.struck) for one in submissions),
        "unseen": sum(one.code == 20 and one.ended > 0 for one in submissions),
        "faults": {fault: dict(sorted(codes.items())) for fault, codes in sorted(faults.items())},
    }


def summary(made):
    """The figures as lines of text."""
    lines = [
        f"{made['submits']} submits in {made['minutes']} minutes, {made['wrong']} wrong; "
        f"{made['late']} faults came after the end of raykit, "
        f"{made['unseen']} drivers ran to their end after their head was lost"
    ]
    for fault, codes in made["faults"].items():
        ends = ", ".join(f"exit {code}: {count}" for code, count in codes.items())
        lines.append(f"  {fault} killed in {sum(codes.values())}: {ends}")
    return "\n".join(lines)
