"""Experiments on real warm heads: rounds, an interrupt, going on, and a search for a size."""

import json
import re
import signal

import pytest

from raykit.measure.experiment import experiments
from raykit.measure.records import RunsFolder

pytestmark = pytest.mark.local
JOB = ("--", "--size", "2000", "--repeat", "1")


@pytest.fixture
def two_heads(warm):
    warm("one-node")
    warm("two-nodes", 2)


def test_an_interrupted_experiment_goes_on_where_it_stopped_and_is_compared(cli, two_heads):
    arms = ("--on", "one-node", "--on", "two-nodes", "--repeat", "2", "--seed", "5", "--id", "try")
    started = cli.start("bench", "fib", *arms, *JOB, text=True)
    for line in started.stderr:
        if line.startswith("[3/6] round 1"):
            break
    started.send_signal(signal.SIGINT)
    said = started.stderr.read()
    assert started.wait(240) == 130, said
    assert said.count("interrupted") == 1, said

    # The signal may come after a run or two more.
    runs = RunsFolder(cli.runs)
    made = experiments.read(runs, "try").made
    assert 2 <= len(made) < 6
    again = cli("bench", "fib", *arms, *JOB, timeout=900)
    assert again.code == 0, again.err
    assert f"\n[1/{6 - len(made)}] round " in again.err
    assert experiments.read(runs, "try").made[: len(made)] == made
    assert "SAME_MACHINE" in again.out
    found = json.loads(cli("compare", "try", "-o", "json").out)["data"]
    assert [(arm["name"], arm["p"], arm["rounds"]) for arm in found["arms"]] == [
        ("one-node", found["arms"][0]["p"], 2),
        ("two-nodes", 2, 2),
    ]


def test_a_search_for_the_break_even_size_ends_with_an_interval_or_a_limit(cli, warm):
    warm("one-node")
    # Sixteen runs a size, and so narrow a range has one: how sizes are chosen needs no real head.
    search = ("--break-even", "--on", "one-node", "--sizes", "1000..1001", "--id", "search")
    done = cli("bench", "fib", *search, "--warm-up", "0", "--", "--repeat", "1", timeout=900)
    assert done.code == 0, done.err
    assert re.search(r"break-even|tasks", done.out), done.out
    assert cli("compare", "search").out == done.out
