"""A run whose head was replaced, or never had its job: what attach, logs and stop say and keep."""

import contextlib
import os
from dataclasses import replace

import pytest

from raykit.endpoint import Endpoint
from raykit.flows.targets import lost
from raykit.local import folders, warm
from raykit.local.warm import WarmHead
from raykit.measure.records import LOG, RECORD
from raykit.phases import Phase
from raykit.submission.jobs_api import JobsApi

STARTED = 1795477369.0
SUBMITTED = [Phase("submit", STARTED + 1, 0.1)]
LATER, BEFORE = 60.0, -60.0
"""When the head began that answers now: seconds after the submission."""

HEAD_LOST = "the job job-1 FAILED: the head was lost before it said how the driver ended"
UNSENT = "the job job-1 was never submitted: there is nothing to follow"
KNOWN_NO_MORE = "the job job-1 of the run run-1 is gone"
NOBODY_KNOWS = "its submission got no answer: nobody knows whether the job began"


@pytest.fixture
def keep(runs, make_record):
    """Keeps the record of an unfinished run, written too long ago for its submission to arrive."""

    def keep(target, **fields):
        record = make_record(id="run-1", submission_id="job-1", started=STARTED, target=target)
        path = runs.write(replace(record, **fields))
        moment = path.stat().st_mtime - lost.SUBMIT_SECONDS - 1
        os.utime(path, (moment, moment))

    return keep


@pytest.fixture
def on_this_machine(ray, monkeypatch):
    """A warm head, and what a record says of the one before it."""
    with folders.created() as (folder, _):
        head = WarmHead("mine", ray.url, "letters", str(folder), 1, 1, "2.60.0", 0.0)
        monkeypatch.setattr(warm, "running", lambda: [head])
        ended = f"{folder}-ended"
        yield {"kind": "local", "cluster": "mine", "url": "http://127.0.0.1:1", "folder": ended}
    folders.remove(folder)


@pytest.fixture
def on_kubernetes(api, kubeconfig, ray, monkeypatch):
    """A RayCluster with the fake head, and what a record says of it."""
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}]})
    metadata = {"name": "mine", "namespace": "n", "uid": "uid-1"}
    spec = {"headGroupSpec": {"template": {"spec": {"containers": []}}}}
    api.keep("rayclusters", {"metadata": metadata, "spec": spec})
    kubeconfig(api.url)

    @contextlib.contextmanager
    def reach(cluster, *_):
        yield Endpoint(ray.url, target=cluster.target, ended=lambda: None)

    monkeypatch.setattr("raykit.kuberay.reach.reach", reach)
    return {"kind": "kubernetes", "context": "kind-here", "namespace": "n", "cluster": "mine"}


@pytest.fixture(params=["on_this_machine", "on_kubernetes"])
def place(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def began(ray):
    """Sets when the head began, in seconds after the submission."""
    return lambda seconds: ray.nodes.append({"start_time_ms": (STARTED + seconds) * 1000})


def plain(said):
    """What was said, without the ends of its lines."""
    return " ".join(said.split())


def state(runs):
    record = runs.read("run-1")
    return record.status, record.cause, record.exit_code


def test_a_job_that_was_lost_with_its_head_is_failed_once_its_successor_answers(
    raykit, runs, keep, place, began
):
    keep(place, phases=SUBMITTED)
    began(LATER)
    code, _, said = raykit("attach", "run-1")
    assert code == 20
    assert HEAD_LOST in plain(said)
    assert "the head that answers is up since 20" in plain(said)
    assert NOBODY_KNOWS not in plain(said)
    assert state(runs) == ("FAILED", "head-lost", 20)
    record = runs.read("run-1")
    assert (record.target, record.versions["ray"]) == (place, "2.60.0"), "it is the old head's"
    assert "submit" in [phase.name for phase in record.phases]
    assert raykit("attach", "run-1")[0] == 20, "and it stays so"


def test_a_job_that_a_head_in_its_place_was_followed_on_has_arrived(
    raykit, runs, keep, place, began
):
    keep(place, log={"bytes": 3})
    began(LATER)
    code, _, said = raykit("attach", "run-1")
    assert (code, NOBODY_KNOWS in plain(said)) == (20, False)
    assert runs.read("run-1").log == {"bytes": 3, "source": "partial"}


def test_a_submission_without_an_answer_to_a_head_that_was_replaced_may_have_begun(
    raykit, runs, keep, place, began
):
    keep(place)
    began(LATER)
    code, _, said = raykit("attach", "run-1")
    assert code == 20
    assert HEAD_LOST in plain(said)
    assert NOBODY_KNOWS in plain(said)
    assert state(runs) == ("FAILED", "head-lost", 20)


def test_a_submission_that_an_older_head_does_not_know_never_arrived(
    raykit, runs, keep, place, began
):
    keep(place)
    began(BEFORE)
    code, _, said = raykit("attach", "run-1")
    assert code == 6
    assert UNSENT in plain(said)
    assert "its head is up since 20" in plain(said)
    assert state(runs) == ("NOT_SUBMITTED", None, 6)
    again, _, said = raykit("attach", "run-1")
    assert (again, UNSENT in plain(said)) == (6, True)


@pytest.mark.parametrize("seconds", [0.0, -lost.DOUBT_SECONDS])
def test_where_two_clocks_may_disagree_nobody_claims_that_a_job_was_never_submitted(
    raykit, runs, keep, place, began, seconds
):
    keep(place)
    began(seconds)
    assert raykit("attach", "run-1")[0] == 20
    assert state(runs) == ("FAILED", "head-lost", 20)


@pytest.mark.parametrize(
    ("phases", "head", "status"),
    [(SUBMITTED, LATER, "FAILED"), ([], LATER, "FAILED"), ([], BEFORE, "NOT_SUBMITTED")],
)
def test_stop_and_logs_agree_with_attach_and_leave_the_record_to_it(
    raykit, runs, keep, place, began, phases, head, status
):
    keep(place, phases=phases)
    began(head)
    code, out, said = raykit("stop", "run-1")
    assert (code, out) == (0, f"job-1: {status}\n")
    assert "raykit attach run-1 completes its record" in plain(said)
    assert (NOBODY_KNOWS in plain(said)) == (not phases and head == LATER)
    code, _, said = raykit("logs", "run-1")
    assert code == 6
    assert (NOBODY_KNOWS in plain(said)) == (not phases and head == LATER)
    assert "next: raykit attach run-1 completes its record" in plain(said)
    assert state(runs) == ("UNFINISHED", None, None)
    raykit("attach", "run-1")
    assert state(runs)[0] == status
    code, out, said = raykit("stop", "run-1")
    assert (code, out) == (0, f"job-1: {status}\n")
    assert f"the run run-1 is complete: {status}" in plain(said)


def test_the_log_that_was_saved_of_a_lost_job_is_printed_before_and_after_attach(
    raykit, runs, keep, place, began
):
    keep(place, phases=SUBMITTED)
    (runs.folder("run-1") / LOG).write_bytes(b"so far\n")
    began(LATER)
    code, out, said = raykit("logs", "run-1")
    assert (code, out) == (0, "so far\n")
    assert "the job job-1 of the run run-1 was lost with its head; this is the log" in plain(said)
    assert "raykit attach run-1 completes its record" in plain(said)
    raykit("attach", "run-1")
    code, out, said = raykit("logs", "run-1")
    assert (code, out) == (0, "so far\n")
    assert "this is the log saved as far as it was read" in plain(said)


@pytest.mark.parametrize("command", ["attach", "stop"])
def test_a_submission_that_may_still_arrive_is_not_given_up(
    raykit, runs, keep, place, began, command
):
    keep(place)
    os.utime(runs.folder("run-1") / RECORD)
    began(BEFORE)
    code, _, said = raykit(command, "run-1")
    assert code == 6
    assert "its submission got no answer yet, and may still be on its way" in plain(said)
    assert "next: raykit attach run-1, in two minutes" in plain(said)
    assert state(runs) == ("UNFINISHED", None, None)


@pytest.mark.parametrize("command", ["attach", "stop"])
def test_a_submission_that_another_raykit_sends_is_not_given_up(
    raykit, runs, keep, place, began, command
):
    keep(place)
    began(BEFORE)
    with runs.followed("run-1"):
        code, _, said = raykit(command, "run-1")
    assert (code, "may still be on its way" in plain(said)) == (6, True)


def test_another_raykit_that_follows_a_lost_run_keeps_its_record(raykit, runs, keep, place, began):
    keep(place, phases=SUBMITTED)
    began(LATER)
    with runs.followed("run-1"):
        code, _, said = raykit("attach", "run-1")
    assert (code, "another raykit follows this run" in plain(said)) == (20, True)
    assert state(runs) == ("UNFINISHED", None, None)


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(happens)`: what happens while the head is asked since when it is up."""
    ask = JobsApi.nodes

    def set_up(happens):
        monkeypatch.setattr(JobsApi, "nodes", lambda api: (happens(), ask(api))[1])

    return set_up


def test_a_record_that_another_raykit_completes_meanwhile_stays_as_it_is(
    raykit, runs, keep, place, began, meanwhile
):
    keep(place, phases=SUBMITTED)
    began(LATER)
    complete = replace(runs.read("run-1"), status="SUCCEEDED", exit_code=0, log={"bytes": 3})
    meanwhile(lambda: runs.write(complete))
    code, _, said = raykit("attach", "run-1")
    assert (code, "the run run-1 is complete: SUCCEEDED" in plain(said)) == (0, True)
    assert (state(runs), runs.read("run-1").log) == (("SUCCEEDED", None, 0), {"bytes": 3})


def test_a_record_that_is_deleted_meanwhile_cannot_be_completed(
    raykit, runs, keep, place, began, meanwhile
):
    keep(place)
    began(LATER)
    meanwhile((runs.folder("run-1") / RECORD).unlink)
    code, _, said = raykit("attach", "run-1")
    assert (code, "record.json cannot be read" in plain(said)) == (7, True)


def test_a_job_that_somebody_deleted_on_its_head_was_not_lost_with_it(
    raykit, runs, keep, place, began
):
    keep(place, phases=SUBMITTED)
    began(BEFORE)
    code, _, said = raykit("attach", "run-1")
    assert code == 6
    assert KNOWN_NO_MORE in plain(said)
    assert "somebody deleted the job there" in plain(said)
    assert state(runs) == ("UNFINISHED", None, None)


@pytest.mark.parametrize("answer", [{"start_time_ms": 0}, {"state": "DEAD"}, None])
def test_a_head_that_does_not_say_when_it_began_decides_nothing(
    raykit, ray, runs, keep, place, answer
):
    keep(place, phases=SUBMITTED)
    if answer is None:
        ray.refuse["/api/v0/nodes"] = (500, "no")
    else:
        ray.nodes.append({"start_time_ms": (STARTED + LATER) * 1000} | answer)
    code, _, said = raykit("attach", "run-1")
    assert (code, KNOWN_NO_MORE in plain(said)) == (6, True)
    assert "next: raykit attach run-1 asks again" in plain(said)
    assert state(runs) == ("UNFINISHED", None, None)


def test_behind_an_address_another_head_may_have_the_job(raykit, ray, runs, keep, began):
    keep({"kind": "url", "url": ray.url}, phases=SUBMITTED)
    began(LATER)
    code, _, said = raykit("attach", "run-1")
    assert (code, "or is another one" in plain(said)) == (6, True)
    assert state(runs) == ("UNFINISHED", None, None)


def test_a_cluster_of_the_same_name_elsewhere_says_nothing_of_a_run(
    raykit, api, runs, keep, on_kubernetes, began
):
    (item,) = api.kept["rayclusters"].values()
    metadata = {**item["metadata"], "namespace": "other"}
    api.keep("rayclusters", {**item, "metadata": metadata})
    keep(on_kubernetes, phases=SUBMITTED)
    began(LATER)
    code, _, said = raykit("attach", "run-1", "-n", "other")
    assert (code, "or is another one" in plain(said)) == (6, True)
    assert state(runs) == ("UNFINISHED", None, None)


def test_a_cluster_that_was_deleted_and_created_again_leaves_the_end_open(
    raykit, runs, keep, on_kubernetes, began
):
    """As for a run that is followed meanwhile: nobody knows how its job ended."""
    keep(on_kubernetes, phases=SUBMITTED, cluster={"uid": "uid-0"})
    began(LATER)
    code, _, said = raykit("attach", "run-1")
    assert (code, "was deleted and created again" in plain(said)) == (6, True)
    assert state(runs) == ("UNFINISHED", None, None)


def test_a_head_that_runs_on_is_not_taken_for_lost_by_its_namesake(
    raykit, runs, keep, on_this_machine, began
):
    """A shell without XDG_RUNTIME_DIR, such as cron's, sees other warm heads."""
    with folders.created() as (running, _):
        keep(on_this_machine | {"folder": str(running)}, phases=SUBMITTED)
        began(LATER)
        code, _, said = raykit("attach", "run-1")
    folders.remove(running)
    assert (code, "another XDG_RUNTIME_DIR hides it" in plain(said)) == (6, True)
    assert state(runs) == ("UNFINISHED", None, None)


def test_a_warm_head_says_in_records_which_one_of_its_name_it_is(on_this_machine):
    (head,) = warm.running()
    assert head.head().endpoint().target["folder"] == head.folder
    other = replace(head, folder="/tmp/other")
    assert other.head().endpoint().target["folder"] == "/tmp/other"


@pytest.mark.parametrize("command", ["stop", "logs"])
def test_while_its_rayjob_is_there_kuberay_has_the_last_word(
    raykit, api, runs, keep, on_kubernetes, began, command
):
    """After a preemption KubeRay submits the job again, to a head that does not know it yet."""
    metadata = {"name": "fib-1", "namespace": "n", "uid": "uid-2"}
    status = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "rayClusterName": "mine"}
    spec = {"entrypoint": "python", "jobId": "job-1"}
    api.keep("rayjobs", {"metadata": metadata, "spec": spec, "status": status})
    keep(on_kubernetes | {"rayjob": "fib-1", "rayjob_uid": "uid-2"}, phases=SUBMITTED)
    began(LATER)
    code, _, said = raykit(command, "run-1")
    assert (code, KNOWN_NO_MORE in plain(said)) == (6, True)
