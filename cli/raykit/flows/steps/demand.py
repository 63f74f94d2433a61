"""What a job, or raykit, waits for: shown when nothing has been heard for some time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from raykit.errors import JobsApiError, RaykitError
from raykit.measure import strip
from raykit.redaction import redacted
from raykit.submission.answers import LostConnectionError
from raykit.submission.answers.fields import Row
from raykit.submission.jobs_api import JobDetails, JobsApi

PENDING_SECONDS, SILENT_SECONDS, UNANSWERED_SECONDS = 10.0, 15.0, 10.0
"""How long a job is PENDING, or prints nothing, before raykit asks the head why; and how long the
head does not answer before raykit says so."""
AGAIN_SECONDS, PAUSE_SECONDS = 5.0, 60.0
"""The pause between two looks at the Ray nodes of a job that prints nothing; a further one after a
look that the head refused."""
MOST_LOST, LONGEST_REASON = 20, 300
GIB = 2**30
WAITING = frozenset({"PENDING_NODE_ASSIGNMENT", "PENDING_CREATION"})
"""Ray's states of tasks and of actors that wait for a Ray node."""


class Demand:
    """Asks a head once why a job does not start, and again and again why one that runs is silent.

    It asks in a thread, so that following the job does not wait, and only where nothing is heard
    from the job: questions would disturb a measurement. Later ones are for the Ray nodes alone,
    which costs a head little, and for more if one was lost. After 15 s, and again after twice as
    long, a silence is said, with what Ray counts.

    note: shows and keeps a line; show: only shows it.
    """

    def __init__(self, note: Callable[[str], None], show: Callable[[str], None]) -> None:
        self.note, self.show = note, show
        self.heard_at = self.said_at = time.monotonic()
        self.patience = SILENT_SECONDS
        self.due: dict[str, float] = {}
        self.asking: threading.Thread | None = None
        self.lost: Sequence[str] | None = None
        self.said: set[str] = set()
        self.unanswered_since: float | None = None
        self.noted = False

    def heard(self) -> None:
        """The job printed something."""
        self.heard_at = self.said_at = time.monotonic()

    def look(self, api: JobsApi, details: JobDetails) -> None:
        """Take an answer of the head about the job's status."""
        if self.noted:
            self.note("the head answers again")
        self.unanswered_since, self.noted = None, False
        silent = time.monotonic() - self.heard_at
        if details.status == "PENDING" and silent >= PENDING_SECONDS:
            self._ask("PENDING", lambda: pending(api, details), again=inf)
        elif details.status == "RUNNING" and silent >= SILENT_SECONDS:
            self._ask("RUNNING", lambda: self._why_silent(api, details), again=AGAIN_SECONDS)

    def unanswered(self, error: JobsApiError) -> None:
        """Take the error of a question that had no answer; show one that lasts."""
        now = time.monotonic()
        self.unanswered_since = now if self.unanswered_since is None else self.unanswered_since
        if not self.noted and now - self.unanswered_since >= UNANSWERED_SECONDS:
            self.noted = True
            self.note(f"the head does not answer, and raykit goes on asking: {error.what}")

    def _ask(self, state: str, ask: Callable[[], Iterable[str]], again: float) -> None:
        """Ask, unless it is too early, and note what is new. again: seconds until the next time."""
        now = time.monotonic()
        if now < self.due.get(state, now) or (self.asking and self.asking.is_alive()):
            return
        self.due[state] = now + again

        def tell() -> None:
            try:
                for line in ask():
                    if line not in self.said:
                        self.said.add(line)
                        self.said_at = time.monotonic()
                        self.note(line)
            except LostConnectionError:
                self.due[state] = now + AGAIN_SECONDS
            except (RaykitError, RuntimeError):
                # The job goes on, and following it says what is wrong with the head. If the job
                # ends meanwhile, the connection is closed.
                self.due[state] += PAUSE_SECONDS

        self.asking = threading.Thread(target=tell, name="demand", daemon=True)
        self.asking.start()

    def _why_silent(self, api: JobsApi, details: JobDetails) -> Iterator[str]:
        nodes = api.nodes()
        lost = lost_nodes(nodes, details)
        if lost != self.lost:
            self.lost = lost
            yield from lost
            yield from waiting_for_room(api, details, nodes)
        self._say_silence(nodes)

    def _say_silence(self, nodes: Sequence[Row]) -> None:
        """Say that a job is silent: Ray may notice only after half a minute that a node is gone."""
        now = time.monotonic()
        if now - self.said_at < self.patience:
            return
        self.said_at, self.patience = now, 2 * self.patience
        alive = sum(node["state"] == "ALIVE" for node in nodes)
        nodes_alive = f"{alive} Ray node{'' if alive == 1 else 's'}"
        self.show(
            f"the job has printed nothing for {now - self.heard_at:.0f} s; "
            f"Ray counts {nodes_alive} as alive"
        )


def pending(api: JobsApi, details: JobDetails) -> list[str]:
    """Why a job is PENDING: the resources of its driver, which no Ray node has, or Ray's words."""
    name = driver_actor(details.submission_id)
    drivers = [actor for actor in api.actors(detail=True) if actor.get("name") == name]
    wanted = (drivers[0].get("required_resources") or {}) if drivers else {}
    lacking = _lacking(wanted, api.nodes())
    if lacking:
        return [f"the job is PENDING: its driver needs {lacking}"]
    return [f"the job is PENDING: {' '.join(details.message.split())}"] if details.message else []


def lost_nodes(nodes: Sequence[Row], details: JobDetails) -> list[str]:
    """A line for each Ray node that was lost since a job began, with Ray's reason."""
    lost = [node for node in strip.present(nodes, details.start_time, None) if node.lost]
    lines = [
        f"the Ray node {_short(node.name)} was lost: {_short(node.why) or 'Ray names no reason'}"
        for node in lost[:MOST_LOST]
    ]
    return [*lines, "more Ray nodes were lost"] if len(lost) > MOST_LOST else lines


def waiting_for_room(api: JobsApi, details: JobDetails, nodes: Sequence[Row]) -> list[str]:
    """A line for each kind of task or actor of a job that no Ray node is large enough for.

    Ray's autoscaler may still add a larger one.
    """
    waiting = [
        *api.tasks_by_state("=", "PENDING_NODE_ASSIGNMENT"),
        *api.actors(details.job_id, detail=True),
    ]
    lines: dict[str, None] = {}
    for row in waiting:
        if row.get("job_id") != details.job_id or row["state"] not in WAITING:
            continue
        lacking = _lacking(row.get("required_resources") or {}, nodes)
        if lacking:
            name = row.get("name") or row.get("class_name") or "?"
            lines[f"{name} waits until a larger Ray node joins: it needs {lacking}"] = None
    return list(lines)


def driver_actor(submission_id: str | None) -> str:
    """Ray's name of the actor that starts the driver of a job."""
    return f"_ray_internal_job_actor_{submission_id}"


def _short(text: str) -> str:
    """A text of a head in one line, short and without secrets, of which a cut would leave parts."""
    return redacted(" ".join(text.split()))[:LONGEST_REASON]


def _lacking(wanted: object, nodes: Sequence[Row]) -> str:
    """What no single Ray node offers of the wanted resources, in words; empty if one has all."""
    if not isinstance(wanted, dict) or not wanted:
        return ""
    offers = [node.get("resources_total") or {} for node in nodes if node["state"] == "ALIVE"]
    if any(all(offer.get(key, 0) >= amount for key, amount in wanted.items()) for offer in offers):
        return ""
    return (
        ", ".join(
            f"{_shown(key, amount)} (the largest Ray node has {_shown(key, most)})"
            for key, amount in wanted.items()
            if (most := max((offer.get(key, 0) for offer in offers), default=0)) < amount
        )
        or "more of several resources than any one Ray node has"
    )


def _shown(resource: str, amount: float) -> str:
    if "memory" in resource:
        return f"{amount / GIB:.1f} GiB of {resource}"
    return f"{amount:g} {resource}"
