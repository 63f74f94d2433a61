"""What keeps a head busy, and since when nothing does."""

import pytest

from raykit.flows.clusters.work import judge
from raykit.submission.jobs_api import JobDetails


def job(status="SUCCEEDED", start=1000, end=2000, **more):
    fields = {"submission_id": "mine", "status": status, "start_time": start, "end_time": end}
    return JobDetails.parse({**fields, "entrypoint": "x", **more})


def actor(state="ALIVE", **more):
    return {"actor_id": "a", "state": state, "class_name": "Cache", "name": None, **more}


def test_a_head_that_never_ran_a_job_is_idle_without_a_last_end():
    seen = judge([], [], [])
    assert (seen.busy, seen.last) == ((), None)


def test_the_last_end_counts_also_of_a_job_that_has_only_a_start():
    jobs = [job(end=5000), job("FAILED", start=7000, end=0), job(end=3000)]
    assert judge(jobs, [], []).last == 7.0


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_job_that_has_not_ended_keeps_a_head_busy(status):
    assert judge([job(status, end=0)], [], []).busy == ("1 job: mine",)


def test_a_notebook_is_a_job_of_its_driver():
    driver = job("RUNNING", end=0, submission_id=None, job_id="02000000")
    assert judge([driver], [], []).busy == ("1 job: 02000000",)


def test_unfinished_tasks_and_live_actors_keep_a_head_busy_though_no_job_runs():
    tasks = [{"task_id": str(n), "name": f"t{n}", "state": "RUNNING"} for n in range(5)]
    tasks += [{"task_id": state, "state": state} for state in ("FINISHED", "FAILED")]
    assert judge([job()], tasks, [actor()]).busy == ("5 tasks: t0, t1, t2, …", "1 actor: Cache")


@pytest.mark.parametrize(
    "gone",
    [
        actor("DEAD"),
        actor(name="stats", ray_namespace="_dataset_stats_actor"),
        actor(name="AutoscalingCoordinator", ray_namespace="AutoscalingCoordinator"),
        actor(name="job", ray_namespace="SUPERVISOR_ACTOR_RAY_NAMESPACE"),
    ],
)
def test_dead_actors_and_those_of_rays_own_libraries_do_not_count(gone):
    assert judge([job()], [], [gone]).busy == ()


@pytest.mark.parametrize(
    "users",
    [
        actor(name="counter", ray_namespace="counter"),
        actor(name="", ray_namespace=None),
        actor(name="mine", ray_namespace="AutoscalingCoordinator"),
    ],
)
def test_an_actor_of_a_user_counts_whatever_its_namespace_is_called(users):
    assert len(judge([job()], [], [users]).busy) == 1
