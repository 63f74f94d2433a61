"""Runs side by side: the same work first, then which time is shown, its ratios and the doubts."""

import contextlib
import json
from pathlib import Path

import pytest

from raykit.errors import RecordError
from raykit.measure import doubts
from raykit.measure.compare import compare
from raykit.measure.records import RunRecord
from raykit.phases import Phase

LOCAL, SPREAD = [4, 4.1, 4.2, 4.3, 4.4, 4.5], [2, 2.1, 2.2, 2.3, 2.4, 2.5]
SAMPLES = {"local": LOCAL, "spread": SPREAD}


def run(name, *, local=(), spread=(), p=2, work=None, **changes):
    """A finished run of fib with so many seconds in its arms."""
    spans = [{"name": "local", "arm": "local", "start": 1, "seconds": each} for each in local]
    spans += [{"name": "tasks", "arm": "tasks", "start": 1, "seconds": each} for each in spread]
    work = {"size": 9, "tasks": 4} if work is None else work
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
        "start": {"job": "fib", "time": 10.0},
        "results": [{"time": 20.0, "task_cpus": p, "work": work, "data": {}}],
        "tasks": {"task_cpus": p, "nodes": {"head": p}, "makespan": 4.0},
    }
    return RunRecord(**{**facts, **changes})


def verdicts(found):
    return [verdict.words(verdict.run, verdict.baseline) for verdict in found.verdicts]


def names(found):
    return {doubt.name for doubt in found.doubts}


def test_t_is_the_median_of_an_arms_spans_and_speedup_is_against_the_runs_own_local_arm():
    found = compare(
        [
            run("a", local=[4, 4.4, 3.6], spread=[2, 2.2, 1.8]),
            run("b", local=[4, 4, 4], spread=[1, 1, 1]),
        ]
    )
    tasks = {arm.run: arm for arm in found.arms if arm.name == "tasks"}
    assert tasks["a"].timing.seconds == 2
    assert tasks["a"].speedup.value == pytest.approx(2)
    assert tasks["a"].efficiency.value == pytest.approx(1)
    assert tasks["a"].over_baseline is None
    assert tasks["b"].speedup.value == pytest.approx(4)
    assert tasks["b"].over_baseline.value == pytest.approx(2)
    assert found.baseline == "a"


def test_the_task_cpus_are_those_of_the_contract_whatever_the_result_calls_p():
    for own in ("text", 0.03, None, [1], {"p": 2}):
        record = run("a", **SAMPLES)
        record.results = [{"time": 20.0, "data": {"p": own}}]
        found = compare([record, run("b", **SAMPLES, work={})], unlike=True)
        assert [arm.p for arm in found.arms] == [2, 2, 2, 2]
    for told in ("text", -1, 0, True, 10**400, None):
        record = run("a", **SAMPLES)
        record.results[-1]["task_cpus"] = told
        assert compare([record, run("b", **SAMPLES)]).arms[0].p == 2


def test_one_sequence_is_not_compared_with_two():
    small, large = (
        run(n, **SAMPLES, work={"size": 9, "tasks": t}) for n, t in (("a", 1), ("b", 2))
    )
    for record in (small, large):
        record.start["arguments"] = {"tasks": None}
    with pytest.raises(RecordError) as refused:
        compare([small, large])
    assert refused.value.exit_code == 7
    assert refused.value.evidence == ("b: tasks: 1 against 2",)
    assert refused.value.next.startswith("raykit submit fib -- --tasks 2 for equal work")
    small.start["arguments"] = {}
    with pytest.raises(RecordError) as refused:
        compare([small, large])
    assert "--tasks" not in refused.value.next
    found = compare([small, large], unlike=True)
    assert "UNLIKE_WORK" in names(found)
    assert [arm.over_baseline for arm in found.arms] == [None] * 4
    assert verdicts(found) == ["b and a did unlike work: no ratio."]


def test_other_data_or_another_answer_is_other_work():
    one, other = (
        run(n, **SAMPLES, work={"size": 9, "answer": digest})
        for n, digest in (("a", "x"), ("b", "y"))
    )
    with pytest.raises(RecordError, match="unlike"):
        compare([one, other])


def test_a_job_that_says_nothing_of_its_work_is_judged_by_its_options():
    one, other = run("a", **SAMPLES, work={}), run("b", **SAMPLES, work={})
    other.job = {**other.job, "arguments": ["--size", "5"]}
    with pytest.raises(RecordError) as refused:
        compare([one, other])
    assert refused.value.evidence == ("b: options: none against --size 5",)


def test_a_job_that_says_nothing_of_its_work_and_made_other_tasks_is_in_doubt():
    one, other = run("a", **SAMPLES, work={}), run("b", **SAMPLES, work={})
    one.tasks["names"], other.tasks["names"] = {"f": 1}, {"f": 2}
    assert names(compare([one, other])) == {"UNKNOWN_WORK"}


@pytest.mark.parametrize("work", [None, "text", 3, [], {"tasks": "many"}, {"tasks": 1e999}])
def test_whatever_a_job_gives_as_its_work_is_no_bug_of_ours(work):
    one, other = run("a", **SAMPLES), run("b", **SAMPLES)
    other.results[-1]["work"] = work
    with contextlib.suppress(RecordError):
        compare([one, other])
    assert compare([one, other], unlike=True).arms


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("versions", ({"ray": "2.59.0"}, {"ray": "2.60.0"})),
        ("cluster", ({"pods": [{"image_digest": "x"}]}, {"pods": [{"image_digest": "y"}]})),
    ],
)
def test_other_images_and_other_rays_are_refused_unless_asked_for_and_then_marked(field, values):
    runs = [run(n, **SAMPLES, **{field: value}) for n, value in zip("ab", values, strict=True)]
    with pytest.raises(RecordError):
        compare(runs)
    assert names(compare(runs, unlike=True)) & {"DIFFERENT_RAY", "UNLIKE_IMAGE"}


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (SPREAD, "b took 1.00 (0.88-1.14) of a's time (tasks): undecided, within noise."),
        ([each * 2 for each in SPREAD], "b took 2.00 (1.76-2.27) of a's time (tasks): slower."),
        ([each / 2 for each in SPREAD], "b took 0.50 (0.44-0.57) of a's time (tasks): faster."),
        ([2.0], "b took 0.89 of a's time (tasks): undecided, measured too seldom."),
    ],
)
def test_the_verdict_says_in_words_whether_it_was_faster(second, verdict):
    assert verdicts(compare([run("a", spread=SPREAD), run("b", spread=second)])) == [verdict]


def test_a_verdict_about_one_machine_says_that_it_says_nothing_of_more():
    second = run("b", **SAMPLES, tasks={"nodes": {"head": 0, "worker a": 1}})
    assert verdicts(compare([run("a", **SAMPLES), second]))[0].endswith(
        "One machine carried the Ray nodes, so this says nothing about more machines."
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
    assert verdicts(found) == ["b and a have no time in common: no ratio."]


def test_no_makespan_is_taken_from_a_part_of_the_tasks():
    part = run("a")
    part.tasks |= {"dropped": 5, "count": 3}
    found = compare([part, run("b")])
    assert found.arms[0].source == "run phase"
    assert "TRUNCATED" in names(found)


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
    assert names(compare([run("a", **SAMPLES), run("b", **SAMPLES)])) == set()


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        (
            {"job": {"name": "fib", "arguments": ["--repeat", "5"], "entrypoint": []}},
            "UNLIKE_ARGUMENTS",
        ),
        ({"machine": {"cpu_model": "y", "cpu_count": 4}}, "DIFFERENT_CPUS"),
        ({"cluster": {"pods": [{"image": "other", "image_digest": None}]}}, "UNLIKE_IMAGE"),
        ({"tasks": {"retried": 2, "nodes": {"head": 2}}}, "DISTURBED"),
        ({"tasks": {"ended": {"w": {"lost": True, "time": 1}}}}, "DISTURBED"),
        ({"tasks": {"nodes": {"head": 0, "worker a": 1}}}, "SAME_MACHINE"),
        ({"local": [9.0] * 6}, "SUPERLINEAR"),
    ],
)
def test_each_unlikeness_is_a_doubt_by_name(changes, doubt):
    assert names(compare([run("a", **SAMPLES), run("b", **SAMPLES | changes)])) == {doubt}


def test_a_doubt_names_values_in_words():
    second = run("b", **SAMPLES, cluster={"pods": [{"image_digest": "sha256:" + "0" * 64}]})
    (doubt,) = compare([run("a", **SAMPLES), second]).doubts
    assert doubt.why == f"the images differ: none against sha256:{'0' * 64}"


def test_cpus_are_those_where_the_driver_ran_not_the_users_laptop():
    far = {"target": {"kind": "cluster"}}
    one, other = run("a", **SAMPLES, **far), run("b", **SAMPLES, **far)
    other.machine = {"cpu_model": "a laptop", "cpu_count": 4}
    assert names(compare([one, other])) == set()
    for record, model in ((one, "x"), (other, "y")):
        record.start["machine"] = {"cpu_model": model, "cpu_count": 64}
    assert names(compare([one, other])) == {"DIFFERENT_CPUS"}


@pytest.mark.parametrize(
    ("machine", "pressure", "doubted"),
    [
        ({"cpu_count": 2, "load": 1.0}, 0.0, False),
        ({"cpu_count": 2, "load": 1.2}, 0.0, True),
        ({"cpu_count": 64, "load": 1.2}, 0.0, False),
        ({"cpu_count": 2, "load": 0.0}, 4.0, False),
        ({"cpu_count": 2, "load": 0.0}, 6.0, True),
        ({"cpu_count": "two", "load": None}, 0.0, False),
    ],
)
def test_a_loaded_machine_is_a_doubt_on_a_single_run(machine, pressure, doubted):
    record = run("a", **SAMPLES)
    record.start |= {"machine": machine, "cpu_pressure_seconds": 1.0}
    record.results[-1]["cpu_pressure_seconds"] = 1.0 + pressure
    found = {doubt.name for doubt in doubts.of_run(record)}
    assert found == ({"BUSY_MACHINE"} if doubted else set())


@pytest.mark.parametrize(("stolen", "doubted"), [(0.9, False), (1.1, True)])
def test_cpu_time_that_the_host_gave_to_others_is_a_doubt(stolen, doubted):
    record = run("a", **SAMPLES)
    machine = {"cpu_count": 2, "load": 0.0}
    record.start |= {"time": 100.0, "machine": machine, "steal_seconds": 5.0}
    record.results[-1] |= {"time": 110.0, "steal_seconds": 5.0 + stolen}
    found = [doubt.name for doubt in doubts.of_run(record)]
    assert found == (["BUSY_MACHINE"] if doubted else [])


def test_a_container_held_back_is_a_doubt_on_a_single_run():
    record = run("a", **SAMPLES)
    record.start["throttled_seconds"] = 1.0
    record.results[-1]["throttled_seconds"] = 3.5
    (doubt,) = doubts.of_run(record)
    assert (doubt.name, "2.50 s" in doubt.why) == ("THROTTLED", True)


@pytest.mark.parametrize(
    ("samples", "doubt"),
    [
        ({"local": [4.0], "spread": [2.0]}, "SINGLE_SAMPLE"),
        ({"local": [4.0] * 5, "spread": [2.0] * 5}, "FEW_SAMPLES"),
        ({"local": [0.01] * 6, "spread": [0.02] * 6}, "TOO_SHORT"),
        ({"local": [4] * 6, "spread": [9, 2, 2, 2, 2, 2]}, "FIRST_RUN_SLOW"),
    ],
)
def test_each_weakness_of_the_samples_is_a_doubt_by_name(samples, doubt):
    assert names(compare([run("a", **samples), run("b", **samples)])) == {doubt}


def test_the_advice_for_more_rounds_is_a_command_that_the_job_takes():
    one, other = (run(n, local=[4.0], spread=[2.0]) for n in "ab")
    assert compare([one, other]).doubts[0].advice == "raykit bench runs a job again and again"
    one.start["arguments"] = {"repeat": 1}
    assert compare([one, other]).doubts[0].advice == "raykit submit fib -- --repeat 6"


def test_ray_nodes_on_several_machines_or_unseen_ones_raise_no_doubt():
    several = run("b", **SAMPLES)
    several.cluster = {"nodes": [{"boot_id": "one"}, {"boot_id": "two"}]}
    several.tasks = {"nodes": {"head": 0, "worker": 2}}
    grown = run("c", **SAMPLES, target={"kind": "cluster"})
    grown.cluster = {"nodes": [{"boot_id": "one"}], "pods": [{"image_digest": "x"}]}
    grown.tasks = {"nodes": {"head": 0, "came later": 2}}
    assert "SAME_MACHINE" not in names(compare([run("a", **SAMPLES), several, grown]))


OLD = Path(__file__).parent / "golden" / "record-schema-1.json"


def test_records_of_the_first_schema_are_compared_by_what_fib_then_said_of_its_work():
    base, other = (RunRecord.from_dict(json.loads(OLD.read_text("utf-8"))) for _ in range(2))
    other.id = "another"
    found = compare([base, other])
    assert [(arm.name, arm.p, arm.timing.n) for arm in found.arms[:2]] == [
        ("local", 2, 3),
        ("tasks", 2, 3),
    ]
    other.results[-1]["data"]["tasks"] = 4
    with pytest.raises(RecordError):
        compare([base, other])
