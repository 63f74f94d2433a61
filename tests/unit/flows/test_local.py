"""A local head of several Ray nodes: how long `up` waits for them, and what it leaves behind."""

from types import SimpleNamespace

import pytest

from raykit.errors import Interrupt, KubernetesError
from raykit.flows import local
from raykit.local import warm
from raykit.progress import Progress


@pytest.fixture
def three(monkeypatch, tmp_path):
    """A head of three nodes, which `up` starts; `three.up` after it, until it is ended."""
    (tmp_path / "ray-start.log").write_text("the raylet is starting\n")
    head = SimpleNamespace(name="three", nodes=3, folder=str(tmp_path), up=False)

    def up(*_):
        is_new, head.up = not head.up, True
        return head, is_new

    monkeypatch.setattr(warm, "up", up)
    monkeypatch.setattr(warm, "down", lambda _: setattr(head, "up", False))
    return head


def joins(monkeypatch, at):
    """Nodes that join when so many seconds have passed."""
    monkeypatch.setattr(
        local, "_alive", lambda _: [1.0 for seconds in at if seconds <= local.time.monotonic()]
    )


def test_a_node_that_joins_gives_the_next_one_time_of_its_own(three, monkeypatch, sleeps_of):
    slept = sleeps_of(local)
    joins(monkeypatch, (0, 50, 100))
    assert local.up("three", 3, Progress()) is three
    assert sum(slept) == pytest.approx(100, abs=1)
    assert three.up


def test_a_head_whose_nodes_do_not_join_is_ended_again_with_its_last_lines(
    three, monkeypatch, sleeps_of
):
    slept = sleeps_of(local)
    joins(monkeypatch, (0, 50))
    with pytest.raises(KubernetesError) as late:
        local.up("three", 3, Progress())
    assert sum(slept) == pytest.approx(110, abs=1)
    assert late.value.what == "2 of 3 Ray nodes joined, no other within 60 s"
    assert late.value.evidence == ("the raylet is starting",)
    assert not three.up


def test_a_head_that_was_up_before_stays_up(three, monkeypatch, sleeps_of):
    sleeps_of(local)
    joins(monkeypatch, (0,))
    three.up = True
    with pytest.raises(KubernetesError):
        local.up("three", 3, Progress())
    assert three.up


def test_a_head_that_another_up_starts_meanwhile_is_not_ended(three, monkeypatch, sleeps_of):
    """Before the lock there was none; when the lock is ours, the other `up` has started it."""
    sleeps_of(local)
    joins(monkeypatch, (0,))
    three.up = True
    monkeypatch.setattr(warm, "find", lambda _: None)
    with pytest.raises(KubernetesError):
        local.up("three", 3, Progress())
    assert three.up


def test_an_interrupt_leaves_no_half_started_head(three, monkeypatch):
    def interrupted(_):
        raise Interrupt

    monkeypatch.setattr(local, "_alive", interrupted)
    with pytest.raises(Interrupt):
        local.up("three", 3, Progress())
    assert not three.up
