"""Waiting ends when ready, when it is hopeless, or when time is up; it always says why."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import KubernetesError
from raykit.kube.connection import connect
from raykit.kuberay import waiting
from raykit.kuberay.finding import Finding
from raykit.kuberay.waiting import Look, Watched
from raykit.progress import Progress, Silent


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        # One module for all that import it: also for what shows the reasons of a wait.
        monkeypatch.setattr(waiting.time, "monotonic", lambda: self.now)

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Details(Silent):
    def __init__(self):
        self.texts, self.notes = [], []

    def note(self, text):
        self.notes.append(text)

    def step_detail(self, text):
        self.texts.append(text)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def wait(clock):
    """Waits on looks given as a function of the seconds that passed; returns those seconds."""

    def run(look, timeout=300.0, listener=None, **options):
        waiting.until(
            lambda: look(clock.now - 100),
            what="the head",
            timeout=timeout,
            progress=Progress(listener),
            next="raykit status",
            wake=clock.sleep,
            **options,
        )
        return clock.now - 100

    return run


def lasting(patience, **more):
    return Finding("image", "image x cannot be had", ("not found",), "mend it", patience, **more)


def test_a_watch_that_is_closed_at_once_is_not_asked_for_again_without_a_pause(
    api, kubeconfig, monkeypatch
):
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 600.0)
    api.keep("pods")
    kubeconfig(api.url)
    with connect() as connection, waiting.watched(connection, "n", Watched("Pod")) as wake:
        wake(10.0)
        wake(0.3)
    assert len([query for query in api.queries if "watch" in query]) == 1


@given(st.lists(st.floats(0, 0.99), min_size=2, max_size=20))
def test_the_pauses_between_watches_grow_to_half_a_minute_and_end_with_one_that_lasts(lasted):
    pauses = [0.0]
    for seconds in lasted:
        pauses.append(waiting.pause_after(seconds, pauses[-1]))
    assert all(0 < after <= waiting.LONGEST_PAUSE for after in pauses[1:])
    assert all(before < after or after == 30 for before, after in pairwise(pauses))
    assert waiting.pause_after(waiting.WATCH_SECONDS, pauses[-1]) == 0


def test_what_is_ready_is_not_waited_for(wait):
    assert wait(lambda _: Look(True)) == 0


def test_what_becomes_ready_is_seen_within_two_seconds(wait):
    assert wait(lambda now: Look(now >= 7)) == pytest.approx(8)


def test_a_finding_that_outlasts_its_patience_ends_the_wait_with_its_command(wait, clock):
    with pytest.raises(KubernetesError) as ended:
        wait(lambda _: Look(False, [lasting(8)]), log=lambda finding: [f"| log of {finding.key}"])
    assert clock.now - 100 == pytest.approx(8)
    assert ended.value.what == "the head cannot become ready: image x cannot be had"
    assert ended.value.evidence == ("not found", "| log of image")
    assert ended.value.next == "mend it"


def test_a_finding_that_passes_and_comes_again_starts_anew(wait):
    def look(now):
        return Look(now >= 20, [] if 6 <= now < 7 else [lasting(8)] if now < 13 else [])

    assert wait(look) == pytest.approx(20, abs=2)


def test_patience_begins_when_a_finding_gets_a_limit(wait, clock):
    """A pod waits for room while others end; when they have, the scheduler needs a moment."""
    with pytest.raises(KubernetesError):
        wait(lambda now: Look(False, [lasting(None if now < 50 else 8)]))
    assert clock.now - 100 == pytest.approx(58, abs=2)


def test_a_finding_without_patience_never_ends_the_wait_but_explains_the_timeout(wait, clock):
    with pytest.raises(KubernetesError) as late:
        wait(lambda _: Look(False, [lasting(None)]), timeout=60)
    assert clock.now - 100 == pytest.approx(60)
    assert late.value.what == "not ready within 60 s: the head"
    assert late.value.evidence == ("image x cannot be had", "not found")
    assert late.value.next == "mend it"


def test_a_timeout_without_findings_says_what_is_missing(wait):
    with pytest.raises(KubernetesError) as late:
        wait(lambda _: Look(False, missing="1 of 2 are ready"), timeout=5)
    assert late.value.evidence == ("1 of 2 are ready",)
    assert late.value.next == "raykit status"


def test_the_reason_is_shown_while_waiting(wait):
    listener = Details()
    wait(
        lambda now: Look(now > 3, [lasting(None)] if now < 2 else [], "its pod"), listener=listener
    )
    assert listener.texts[0] == "image x cannot be had"
    assert listener.texts[-1] == "its pod"


def test_each_reason_that_lasts_is_noted_once_and_short_ones_are_not(wait):
    listener = Details()
    short, long = "head: it waits for a Kubernetes node", "head: its containers run"

    def look(now):
        return Look(now >= 60, lines=[short if now < 6 else long])

    wait(look, listener=listener)
    assert listener.notes == [f"waiting: {long}"]
    assert set(listener.texts) == {short, long}


def test_every_group_is_noted_on_a_line_of_its_own(wait):
    listener = Details()
    wait(lambda now: Look(now >= 30, lines=["group a: x", "group b: y"]), listener=listener)
    assert listener.notes == ["waiting: group a: x", "waiting: group b: y"]
    assert listener.texts[0] == "group a: x; group b: y"


def test_an_api_server_that_restarts_is_waited_for(wait):
    def look(now):
        if 2 <= now < 12:
            raise KubernetesError("nothing listens")
        return Look(now >= 14)

    assert wait(look) >= 14


def test_an_api_server_that_stays_away_ends_the_wait(wait, clock):
    def look(_):
        raise KubernetesError("nothing listens", evidence=["refused"])

    with pytest.raises(KubernetesError, match="cannot become ready: nothing listens"):
        wait(look)
    assert clock.now - 100 <= 20


def test_time_in_a_queue_does_not_count_and_is_returned(clock):
    queued = Finding("queued", "QUEUED in team: no room", queued=True)

    def look():
        waited = clock.now - 100
        return Look(False, [queued]) if waited < 5000 else Look(waited > 5100, (), "its pod")

    seconds = waiting.until(
        look, what="x", timeout=150, progress=Progress(), next="", wake=clock.sleep
    )
    assert 4990 < seconds < 5010


def test_after_the_queue_the_time_out_counts_from_there(clock):
    queued = Finding("queued", "QUEUED in team: no room", queued=True)

    def look():
        return Look(False, [queued] if clock.now - 100 < 5000 else (), "its pod")

    with pytest.raises(KubernetesError, match="not ready within 150 s: "):
        waiting.until(look, what="x", timeout=150, progress=Progress(), next="", wake=clock.sleep)
    assert 5140 < clock.now - 100 < 5160
