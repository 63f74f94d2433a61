"""What a record says of its work, CPUs, machine and timings, also if a job prints odd JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import facts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["task_cpus", "work", "data", "tasks", "time"]), inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("result", "tasks", "p"),
    [
        ({"task_cpus": 4}, {"task_cpus": 2.0}, 4.0),
        ({"data": {"p": 9}}, {"task_cpus": 2.0}, 2.0),
        ({"task_cpus": 0}, {"task_cpus": 2.0}, 2.0),
        ({"task_cpus": True}, {"task_cpus": 2.0}, 2.0),
        ({"task_cpus": 10**400}, {}, 0.0),
        ({}, {}, 0.0),
    ],
)
def test_p_is_the_jobs_own_else_that_of_rays_nodes(make_record, result, tasks, p):
    assert facts.task_cpus(make_record(results=[result], tasks=tasks)) == p


def test_work_is_what_the_job_says_and_of_an_old_fib_its_size(make_record):
    assert facts.work(make_record(results=[{"work": {"size": 9}}])) == {"size": 9}
    old = {"size": 9, "tasks": 4, "returns": "size", "p": 2}
    assert facts.work(make_record(results=[{"data": old}])) == {k: old[k] for k in facts.FIB_WORK}
    other = {"name": "mine", "arguments": [], "entrypoint": []}
    assert facts.work(make_record(job=other, results=[{"data": old}])) is None
    assert facts.work(make_record()) is None


@pytest.mark.parametrize(("p", "tasks", "usable"), [(4, 2, 2), (2, 4, 2), (4, None, 4), (4, 0, 4)])
def test_work_in_few_tasks_cannot_use_all_cpus(make_record, p, tasks, usable):
    record = make_record(results=[{"task_cpus": p, "work": {"tasks": tasks}}])
    assert facts.usable_cpus(record) == usable


def test_samples_are_those_of_spans_with_an_arm_in_order(make_record):
    spans = [
        {"name": "a", "arm": "tasks", "start": 1, "seconds": 2},
        {"name": "load", "start": 3, "seconds": 9},
        {"name": "a", "arm": "tasks", "start": 4, "seconds": 1},
    ]
    record = make_record(spans=spans)
    assert facts.samples(record) == {"tasks": [2.0, 1.0]}
    assert [arm.start for arm in facts.timed_arms(record)] == [1.0, 4.0]


def test_raykits_own_machine_is_the_drivers_only_on_a_local_head(make_record):
    ours = {"cpu_model": "ours", "boot_id": "b"}
    assert facts.head_machine(make_record(machine=ours)) == ours
    cluster = {"kind": "kubernetes"}
    assert facts.head_machine(make_record(machine=ours, target=cluster)) == {}
    told = {"machine": {"cpu_model": "theirs"}}
    assert facts.head_machine(make_record(target=cluster, start=told)) == told["machine"]
    assert facts.boot_ids(make_record(machine=ours)) == {"b"}
    assert facts.boot_ids(make_record(machine=ours, target=cluster)) == set()


def test_a_counter_grows_from_the_start_line_to_the_result_and_never_shrinks(make_record):
    record = make_record(start={"throttled_seconds": 1.5}, results=[{"throttled_seconds": 2.0}])
    assert facts.growth(record, "throttled_seconds") == 0.5
    record = make_record(start={"throttled_seconds": 3}, results=[{"throttled_seconds": 2}])
    assert facts.growth(record, "throttled_seconds") == 0.0
    assert facts.growth(make_record(start={}), "throttled_seconds") is None


def test_images_are_named_by_digest_if_it_is_known(make_record):
    pods = [{"image": "a:1", "image_digest": "sha256:1"}, {"image": "b:2"}, {"image": "b:2"}]
    assert facts.images(make_record(cluster={"pods": pods})) == ("b:2", "sha256:1")


@given(result=JSON, start=st.none() | st.dictionaries(st.text(max_size=9), JSON, max_size=3))
def test_no_json_of_a_job_breaks_a_reader(result, start):
    from raykit.measure.records import RunRecord

    job = {"name": "fib", "arguments": [], "entrypoint": []}
    record = RunRecord("r", "r", job, {"kind": "local"}, {}, {}, 0.0, results=[result], start=start)
    facts.task_cpus(record)
    facts.usable_cpus(record)
    facts.head_machine(record)
    facts.takes(record, "tasks")
    facts.growth(record, "time")
