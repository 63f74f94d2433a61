"""Runs side by side: which time is shown, its ratios and errors, and the doubts by name."""

import math

import pytest

from raykit.errors import RecordError
from raykit.measure.compare import compare
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Ratio, Timing, serial_fraction
from raykit.phases import Phase


def run(name, *, local=(), spread=(), p=2, **changes):
    """A finished run of fib with so many seconds in its arms."""
    spans = [{"name": "local", "arm": "local", "seconds": each} for each in local]
    spans += [{"name": "tasks", "arm": "tasks", "seconds": each} for each in spread]
    facts = {
        "id": name,
        "submission_id": name,
        "job": {"name": "fib", "arguments": [], "entrypoint": ["python"]},
        "target": {"kind": "local", "url": "http://127.0.0.1:1"},
        "versions": {"ray": "2.60.0"},
        "machine": {"cpu_model": "x", "cpu_count": 2, "boot_id": "boot"},
        "started": 0.0,
        "status": "SUCCEEDED",
        "spans": spans,
        "phases": [Phase("run", 0.0, 9.0)],
        "results": [{"data": {"p": p}}],
        "tasks": {"task_cpus": p, "nodes": {"head": p}, "makespan": 4.0},
    }
    return RunRecord(**{**facts, **changes})


def names(found):
    return {doubt.name for doubt in found.doubts}


def test_t_is_the_median_of_an_arms_spans_and_speedup_is_against_the_runs_own_local_arm():
    found = compare(
        [
            run("a", local=[4, 4.4, 3.6], spread=[2, 2.2, 1.8]),
            run("b", local=[4, 4, 4], spread=[1, 1.1, 0.9]),
        ]
    )
    tasks = {arm.run: arm for arm in found.arms if arm.name == "tasks"}
    assert tasks["a"].timing.seconds == 2
    assert tasks["a"].speedup.value == 2
    assert tasks["a"].efficiency.value == 1
    assert tasks["a"].over_baseline is None
    assert tasks["b"].speedup.value == 4
    assert tasks["b"].over_baseline.value == 2
    assert found.baseline == "a"


def test_a_ratio_carries_its_error_and_has_none_for_a_single_sample():
    repeated = Ratio.of(Timing.of([4, 4.4, 3.6]), Timing.of([2, 2.2, 1.8]))
    assert repeated.error == pytest.approx(2 * math.hypot(0.1, 0.1))
    assert str(repeated) == "2.00 ± 0.28"
    single = Ratio.of(Timing.of([4]), Timing.of([2, 2.2]))
    assert single.error is None
    assert str(single) == "1.90"


def test_no_ratio_is_made_over_nothing():
    assert Ratio.of(Timing.of([1]), Timing.of([0])) is None


@pytest.mark.parametrize(
    ("speedup", "p", "expected"), [(2, 2, 0), (1, 2, 1), (1.6, 2, 0.25), (3, 1, None)]
)
def test_karp_and_flatts_serial_fraction(speedup, p, expected):
    assert serial_fraction(speedup, p) == (
        expected if expected is None else pytest.approx(expected)
    )


def test_a_job_without_arms_is_measured_by_its_makespan_and_else_by_its_run_phase():
    with_tasks = run("a")
    without = run("b")
    without.tasks = {}
    found = compare([with_tasks, without])
    assert [(arm.source, arm.timing.seconds) for arm in found.arms] == [
        ("makespan", 4.0),
        ("run phase", 9.0),
    ]


def test_phases_stand_side_by_side_with_gaps_where_a_run_has_none():
    second = run("b", phases=[Phase("submit", 0.0, 1.0)])
    second.cluster = {"bring_up": [Phase("head-ready", 0.0, 7.0).as_dict()]}
    found = compare([run("a"), second])
    assert found.phases == {
        "cluster head-ready": [None, 7.0],
        "run": [9.0, None],
        "submit": [None, 1.0],
    }


def test_what_cannot_be_compared_is_refused_with_every_reason():
    other = run("b", status="FAILED")
    other.job = {**other.job, "name": "gsod"}
    with pytest.raises(RecordError) as refused:
        compare([run("a"), other])
    assert refused.value.evidence == ("b: FAILED", "different jobs: fib, gsod")


def test_one_run_alone_is_no_comparison():
    with pytest.raises(RecordError):
        compare([run("a"), run("a")])


def test_runs_alike_and_repeated_raise_no_doubt():
    samples = {"local": [4, 4.1, 4.2], "spread": [2, 2.1, 2.2]}
    assert names(compare([run("a", **samples), run("b", **samples)])) == set()


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        (
            {"job": {"name": "fib", "arguments": ["--size", "5"], "entrypoint": []}},
            "UNLIKE_ARGUMENTS",
        ),
        ({"machine": {"cpu_model": "y", "cpu_count": 4}}, "DIFFERENT_CPUS"),
        ({"versions": {"ray": "2.59.0"}}, "DIFFERENT_RAY"),
        ({"cluster": {"pods": [{"image": "other", "image_digest": None}]}}, "UNLIKE_IMAGE"),
        ({"tasks": {"retried": 2, "nodes": {"head": 2}}}, "DISTURBED"),
        ({"tasks": {"nodes": {"head": 0, "worker a": 1}}}, "SAME_MACHINE"),
        (
            {
                "start": {"throttled_seconds": 1.0},
                "results": [{"throttled_seconds": 3.5, "data": {"p": 2}}],
            },
            "THROTTLED",
        ),
    ],
)
def test_each_unlikeness_is_a_doubt_by_name(changes, doubt):
    samples = {"local": [4, 4.1, 4.2], "spread": [2, 2.1, 2.2]}
    assert names(compare([run("a", **samples), run("b", **samples, **changes)])) == {doubt}


@pytest.mark.parametrize(
    ("samples", "doubt"),
    [
        ({"local": [4.0], "spread": [2.0]}, "SINGLE_SAMPLE"),
        ({"local": [0.01, 0.011], "spread": [0.02, 0.021]}, "TOO_SHORT"),
        ({"local": [4, 4, 4], "spread": [9, 2, 2]}, "FIRST_RUN_SLOW"),
    ],
)
def test_each_weakness_of_the_samples_is_a_doubt_by_name(samples, doubt):
    assert names(compare([run("a", **samples), run("b", **samples)])) == {doubt}


def test_ray_nodes_on_several_machines_raise_no_doubt():
    samples = {"local": [4, 4.1, 4.2], "spread": [2, 2.1, 2.2]}
    nodes = {"nodes": [{"boot_id": "one"}, {"boot_id": "two"}]}
    far = run("b", **samples)
    far.cluster, far.tasks = nodes, {"nodes": {"head": 0, "worker": 2}}
    assert "SAME_MACHINE" not in names(compare([run("a", **samples), far]))
