"""A RayJob on its way to its head: what every ending leaves in the cluster and in the record."""

import contextlib
import signal
import threading

import pytest

from raykit.endpoint import Endpoint
from raykit.flows.rayjobs import budget
from raykit.flows.rayjobs.arrival import RayJobArrival
from raykit.flows.rayjobs.session import RayJobSession
from raykit.flows.session import Limits, run_to_end
from raykit.flows.steps.arrival import PAYLOAD_KEY
from raykit.kube.connection import connect
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent
from raykit.submission import entrypoints, uploads
from raykit.testing import FakeJob

pytestmark = pytest.mark.usefixtures("fast")
PAYLOAD = {"entrypoint": "echo", "submission_id": "job-1", "metadata": {PAYLOAD_KEY: "hash"}}
RAYJOB = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {
        "name": "echo-1",
        "namespace": "n",
        "annotations": {"raykit.io/payload": "hash", "raykit.io/run": "our-run"},
    },
    "spec": {"entrypoint": "echo", "jobId": "job-1"},
}


SPEC = {"headGroupSpec": {"template": {"spec": {"containers": []}}}}


class Details(Silent):
    """Calls a function at the first reason to wait; what that returns, at the next one."""

    def __init__(self, act=lambda: None):
        self.act, self.texts = act, []

    def step_detail(self, text):
        self.texts.append(text)
        if not text.endswith(" MiB"):  # of an upload
            self.act = self.act() or (lambda: None)


@pytest.fixture
def submit(api, kubeconfig, ray, tmp_path, make_record, monkeypatch):
    """Runs the session of a RayJob; the run, and whether the RayJob is still there."""
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)
    for plural in ("pods", "events", "rayjobs", "rayclusters", "deployments"):
        api.keep(plural)
    kubeconfig(api.url)

    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text("answer = 42")
    code = uploads.plan(entrypoints.of_words(["echo"], tmp_path / "code"), {})

    def submit(limits=Limits(), act=lambda: None, own=False):  # noqa: B008  (it is frozen)
        """own: the RayJob has a cluster of its own, which has no head yet."""
        with code.packed({}) as packed, contextlib.ExitStack() as way:
            return run(limits, act, packed, None if own else ray.api(), way)

    def run(limits, act, packed, head, way):
        record = make_record(submission_id="job-1")
        progress = Progress(Details(act))
        arrival = RayJobArrival(
            connect(), RAYJOB, progress, api=head, timeout=limits.timeout, packed=packed
        )

        def bring_up():
            arrival.create()
            arrival.reach_head(way)
            arrival.upload()
            session.submit(PAYLOAD)

        session = RayJobSession(arrival, record, RunsFolder(tmp_path / "runs"), progress, bring_up)

        def begin():
            if head is None:
                bring_up()
            else:
                arrival.upload()
                session.submit(PAYLOAD)

        run = run_to_end(session, lambda: session.start(begin), limits)
        return run, bool(api.kept["rayjobs"])

    return submit


def arrives(ray, **fields):
    """The submitter's pod has submitted the job."""
    plain = {"status": "SUCCEEDED", "exit_code": 0, "metadata": {PAYLOAD_KEY: "hash"}}
    return lambda: ray.jobs.update({"job-1": FakeJob("job-1", **(plain | fields))})


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def gives_up(api):
    """KubeRay gives the RayJob up before its job was submitted."""

    def act():
        (job,) = api.kept["rayjobs"].values()
        job["status"] = {"jobDeploymentStatus": "Failed", "message": "no pod", "reason": "Late"}

    return act


def ends(api, log=None, **status):
    """KubeRay says that the job ran and ended, and its cluster is gone."""

    def act():
        (job,) = api.kept["rayjobs"].values()
        job["status"] = {"rayClusterName": "gone", "endTime": "2026-11-26T10:00:21Z", **status}
        if log is not None:
            pod = {"name": "echo-1-x", "namespace": "n", "labels": {"job-name": "echo-1"}}
            containers = [{"name": "ray-job-submitter"}]
            api.keep("pods", {"metadata": pod, "spec": {"containers": containers}})
            api.say("/api/v1/namespaces/n/pods/echo-1-x/log", log)

    return act


COMPLETE, GIVEN_UP = {"jobDeploymentStatus": "Complete"}, {"jobDeploymentStatus": "Failed"}
EXIT_3 = "Job entrypoint command failed with exit code 3, last available logs: x"


def has_head(api, name):
    """The RayJob's cluster of this name has a head that is ready."""
    (job,) = api.kept["rayjobs"].values()
    job["spec"].pop("suspend", None)
    job["status"] = {"jobDeploymentStatus": "Initializing", "rayClusterName": name}
    labels = {"ray.io/cluster": name, "ray.io/node-type": "head"}
    metadata = {"name": name, "namespace": "n", "creationTimestamp": "2026-11-26T09:00:00Z"}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    api.keep("rayclusters", {"metadata": metadata, "spec": SPEC})
    pod = {"name": f"{name}-head", "namespace": "n", "labels": labels}
    api.keep("pods", {"metadata": pod, "spec": {"containers": []}, "status": ready})


@pytest.fixture
def ways(ray, monkeypatch):
    """The ways to heads that were opened and closed, in order; each leads to the fake head."""
    log = []

    @contextlib.contextmanager
    def reach(cluster, progress):
        log.append(("opened", cluster.name))
        yield Endpoint(ray.url)
        log.append(("closed", cluster.name))

    monkeypatch.setattr("raykit.flows.rayjobs.arrival.reach", reach)
    return log


def test_a_job_that_is_preempted_on_its_way_takes_its_code_to_the_next_head(api, ray, submit, ways):
    def admitted():
        has_head(api, "first")
        return preempted

    def preempted():
        assert len(ray.packages) == 1
        ray.packages.clear()
        (job,) = api.kept["rayjobs"].values()
        job["spec"]["suspend"] = True
        job["status"] = {"jobDeploymentStatus": "Suspended"}
        return admitted_again

    def admitted_again():
        assert ways == [("opened", "first"), ("closed", "first")]
        has_head(api, "second")
        return arrives(ray, log=b"x\n")

    run, stays = submit(act=admitted, own=True)
    assert (run.exit_code, run.record.status, stays) == (0, "SUCCEEDED", True)
    assert len(ray.packages) == 1
    assert ways[2:] == [("opened", "second"), ("closed", "second")]
    assert any("KubeRay starts the job again" in note for note in run.record.notes)


def test_an_interrupt_before_the_code_is_at_the_next_head_deletes_the_rayjob(
    api, ray, submit, ways
):
    def admitted():
        has_head(api, "first")
        return preempted

    def preempted():
        (job,) = api.kept["rayjobs"].values()
        job["spec"]["suspend"] = True
        return interrupt

    run, stays = submit(act=admitted, own=True)
    assert (run.exit_code, stays) == (130, False)


def test_a_head_that_has_lost_the_code_gets_it_again(ray, submit, monkeypatch):
    monkeypatch.setattr("raykit.flows.rayjobs.code.CODE_SECONDS", 0.0)

    def replaced():
        ray.packages.clear()
        return submitter

    def submitter():
        return arrives(ray, log=b"x\n")() if ray.packages else submitter

    run, _ = submit(act=replaced)
    assert (run.exit_code, len(ray.packages)) == (0, 1)


def test_a_time_out_counts_over_all_starts(api, ray, submit, ways, sleeps_of):
    slept = sleeps_of(budget)

    def admitted():
        has_head(api, "first")
        slept.append(50.0)
        return preempted

    def preempted():
        (job,) = api.kept["rayjobs"].values()
        job["spec"]["suspend"] = True
        slept.append(50.0)

    run, _ = submit(Limits(timeout=100.0), admitted, own=True)
    assert run.exit_code == 22


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    ("status", "code", "word", "says"),
    [
        (COMPLETE | {"jobStatus": "SUCCEEDED"}, 0, "SUCCEEDED", ""),
        (COMPLETE | {"jobStatus": "STOPPED"}, 21, "STOPPED", "was stopped"),
        (GIVEN_UP | {"jobStatus": "FAILED", "message": EXIT_3}, 20, "FAILED", "exit status 3"),
        (GIVEN_UP | {"jobStatus": "RUNNING"}, 20, "FAILED", "the head was lost"),
        (
            GIVEN_UP | {"jobStatus": "RUNNING", "reason": "DeadlineExceeded"},
            21,
            "STOPPED",
            "was stopped",
        ),
    ],
)
def test_a_job_that_ended_with_its_head_has_the_outcome_that_kuberay_names_and_stays(
    api, submit, own, status, code, word, says
):
    run, stays = submit(act=ends(api, log="hello\n", **status), own=own)
    assert (run.exit_code, run.record.status, stays) == (code, word, True)
    assert says in (run.error.what if run.error else "")
    assert (run.record.log["kept"], run.record.log["bytes"]) == ("kept", 6)
    assert run.record.ended == 1795687221.0


def test_a_result_that_may_be_in_a_lost_log_is_not_missed(api, submit):
    run, _ = submit(act=ends(api, **COMPLETE, jobStatus="SUCCEEDED"), own=True)
    assert run.exit_code == 0
    assert any("its log is lost" in note for note in run.record.notes)


def test_an_interrupt_after_the_end_stops_and_deletes_nothing(api, submit, monkeypatch):
    monkeypatch.setattr("raykit.kuberay.rayjobs.ended.log", lambda _: interrupt())
    act = ends(api, **COMPLETE, jobStatus="SUCCEEDED")
    run, stays = submit(Limits(stop_on_interrupt=True), act, own=True)
    assert (run.exit_code, run.record.status, stays) == (0, "SUCCEEDED", True)


def test_a_head_that_is_only_silent_is_asked_again(api, ray, submit):
    """KubeRay gave up since the submitter's pod was lost; the job itself goes on."""
    cluster = {
        "metadata": {"name": "c", "namespace": "n", "creationTimestamp": "2026-11-26T09:00:00Z"},
        "spec": SPEC,
    }
    api.keep("rayclusters", cluster)

    def answers_again():
        ray.drop.clear()
        arrives(ray, log=b"x\n")()

    def act():
        (job,) = api.kept["rayjobs"].values()
        job["status"] = GIVEN_UP | {"jobStatus": "RUNNING", "rayClusterName": "c"}
        ray.drop.add("/api/jobs/")
        return answers_again

    run, stays = submit(act=act)
    assert (run.exit_code, run.record.log["source"], stays) == (0, "file", True)


def test_a_job_that_arrives_is_followed_like_any_other(ray, submit):
    run, stays = submit(act=arrives(ray, log=b"hello\n"))
    assert (run.exit_code, run.record.status, stays) == (0, "SUCCEEDED", True)
    assert run.record.log["source"] == "file"


def test_the_record_names_the_very_rayjob_from_its_creation_on(api, submit, tmp_path):
    kept = []

    def look():
        (job,) = api.kept["rayjobs"].values()
        record = RunsFolder(tmp_path / "runs").read("20261123-234249-fib-dce3")
        kept.append((record.target["rayjob_uid"], job["metadata"]["uid"]))
        interrupt()

    submit(act=look)
    ((recorded, real),) = kept
    assert recorded == real


def test_a_rayjob_that_cannot_get_there_is_deleted_with_the_reason(api, submit):
    run, stays = submit(act=gives_up(api))
    assert (run.exit_code, run.record.status, stays) == (5, "NOT_SUBMITTED", False)
    assert "failed before its job was submitted" in run.error.what
    assert run.error.evidence[0] == "Late: no pod"
    assert run.record.message.splitlines() == [run.error.what, *run.error.evidence]


@pytest.mark.parametrize(
    ("limits", "own", "status", "stays", "words"),
    [
        (Limits(), False, "UNFINISHED", True, "goes on"),
        (Limits(stop_on_interrupt=True), False, "NOT_SUBMITTED", False, "before the job was"),
        (Limits(), True, "NOT_SUBMITTED", False, "before the job was submitted"),
    ],
)
def test_an_interrupt_on_the_way_leaves_only_a_rayjob_that_can_go_on_alone(
    submit, limits, own, status, stays, words
):
    run, stayed = submit(limits, interrupt, own)
    assert (run.exit_code, run.record.status, stayed) == (130, status, stays)
    assert words in run.error.what


@pytest.fixture
def of_a_colleague(api, submit):
    """Another raykit has submitted the same job under the same id."""
    annotations = RAYJOB["metadata"]["annotations"] | {"raykit.io/run": "their-run"}
    metadata = RAYJOB["metadata"] | {"annotations": annotations, "uid": "theirs"}
    api.keep("rayjobs", RAYJOB | {"metadata": metadata})


@pytest.mark.usefixtures("of_a_colleague")
@pytest.mark.parametrize(
    ("limits", "own", "words"),
    [
        (Limits(), False, "goes on"),
        (Limits(), True, "goes on"),
        (Limits(stop_on_interrupt=True), False, "goes on"),
    ],
)
def test_an_interrupt_never_deletes_a_rayjob_of_another_run(submit, limits, own, words):
    run, stays = submit(limits, interrupt, own)
    assert (run.exit_code, run.record.status, stays) == (130, "UNFINISHED", True)
    assert words in run.error.what


@pytest.mark.usefixtures("of_a_colleague")
def test_an_error_never_deletes_a_rayjob_of_another_run(api, submit):
    run, stays = submit(act=gives_up(api))
    assert (run.exit_code, run.record.status, stays) == (5, "NOT_SUBMITTED", True)


@pytest.mark.parametrize("colleague", [False, True])
def test_after_a_lost_answer_the_run_in_the_rayjob_says_who_made_it(
    api, submit, monkeypatch, colleague
):
    answer = api.answer

    def lose(method, path, query, body):
        said = answer(method, path, query, body)
        if method != "POST" or query.get("dryRun"):
            return said
        if colleague:
            (made,) = api.kept["rayjobs"].values()
            made["metadata"]["annotations"] |= {"raykit.io/run": "their-run"}
        return 504, {"kind": "Status", "code": 504, "message": "the request timed out"}

    monkeypatch.setattr(api, "answer", lose)
    run, stays = submit(Limits(stop_on_interrupt=True), interrupt)
    assert (run.exit_code, stays) == (130, colleague)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_second_interrupt_while_the_rayjob_is_deleted_claims_nothing(
    api, submit, monkeypatch, own, deleted
):
    """Its answer never came: the RayJob may be there or not, and the record says neither."""
    answer = api.answer

    def impatient(method, path, query, body):
        if method != "DELETE":
            return answer(method, path, query, body)
        if deleted:
            answer(method, path, query, body)
        interrupt()
        return 503, {"kind": "Status", "code": 503, "message": "too late"}

    monkeypatch.setattr(api, "answer", impatient)
    run, stays = submit(Limits(stop_on_interrupt=True), interrupt, own)
    assert (run.exit_code, run.record.status, stays) == (130, "UNFINISHED", not deleted)
    assert "was asked to stop; whether it did is unknown" in run.error.what
    assert run.error.next == "raykit stop job-1 asks again; raykit attach job-1 shows how it ended"
    assert "interrupted at its end: not all was read and measured" in run.record.notes


@pytest.mark.parametrize("status", [403, 410, 429, 503])
def test_a_deletion_that_the_api_server_refuses_is_not_said_to_have_worked(
    api, submit, monkeypatch, status
):
    monkeypatch.setattr("raykit.kube.api_server.BUSY_SECONDS", 0.0)
    answer = api.answer

    def refuses(method, path, query, body):
        if method == "DELETE":
            return status, {"kind": "Status", "code": status, "message": "not now"}
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", refuses)
    run, stays = submit(Limits(stop_on_interrupt=True), interrupt)
    assert (run.exit_code, run.record.status, stays) == (130, "UNFINISHED", True)
    assert "whether it did is unknown" in run.error.what


def test_a_time_out_on_the_way_leaves_the_rayjob(submit):
    run, stays = submit(Limits(timeout=0.3))
    assert (run.exit_code, run.record.status, stays) == (22, "UNFINISHED", True)
    assert "is still PENDING after 0.3 s" in run.error.what


def test_another_job_of_that_id_on_the_head_is_a_conflict_and_makes_no_rayjob(ray, submit):
    arrives(ray, metadata={PAYLOAD_KEY: "of another"})()
    run, stays = submit()
    assert (run.exit_code, stays) == (8, False)


def test_a_job_that_the_head_has_already_is_attached_to(ray, submit):
    arrives(ray, log=b"x\n")()
    run, _ = submit()
    assert (run.exit_code, run.record.status) == (0, "SUCCEEDED")


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("number", range(12))
def test_after_an_interrupt_at_any_request_the_record_and_the_cluster_agree(
    api, ray, submit, ways, monkeypatch, own, number
):
    """An own cluster's job needs raykit for its code: its RayJob goes; the other one goes on."""
    answer, asked = api.answer, []

    def watched(method, path, query, body):
        if not query.get("watch"):
            asked.append((method, path))
            if len(asked) == number + 2:  # the first one is of the connection
                interrupt()
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", watched)
    run, stays = submit(own=own)
    assert run.exit_code == 130
    assert stays is (run.record.status == "UNFINISHED")
    assert not (own and stays)


def suspended(api):
    """Kueue has the RayJob wait in its queue."""
    (job,) = api.kept["rayjobs"].values()
    job["spec"]["suspend"] = True
    job["status"] = {"jobDeploymentStatus": "Suspended"}


@pytest.mark.parametrize(
    ("limits", "own", "status", "stays", "words"),
    [
        (Limits(), False, "UNFINISHED", True, "goes on"),
        (Limits(stop_on_interrupt=True), False, "NOT_SUBMITTED", False, "before the job was"),
        (Limits(), True, "NOT_SUBMITTED", False, "before the job was submitted"),
    ],
)
def test_an_interrupt_in_a_queue_is_one_on_the_way(api, submit, limits, own, status, stays, words):
    def act():
        suspended(api)
        return interrupt

    run, stayed = submit(limits, act, own)
    assert (run.exit_code, run.record.status, stayed) == (130, status, stays)
    assert words in run.error.what


@pytest.mark.parametrize(
    ("stops", "status", "words"),
    [(False, "UNFINISHED", "goes on"), (True, "STOPPED", "was stopped")],
)
def test_an_interrupt_while_the_job_runs_deletes_no_rayjob(ray, submit, stops, status, words):
    def act():
        arrives(ray, status="RUNNING", exit_code=None, steps=[lambda: None, interrupt])()

    run, stays = submit(Limits(stop_on_interrupt=stops), act)
    assert (run.exit_code, run.record.status, stays) == (130, status, True)
    assert words in run.error.what


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_a_rayjob_that_somebody_deleted_ends_the_wait_and_another_of_its_name_stays(
    api, submit, own, again
):
    def act():
        (key,) = api.kept["rayjobs"]
        gone = api.kept["rayjobs"].pop(key)
        if again:
            metadata = {**gone["metadata"], "uid": "uid-of-theirs"}
            api.keep("rayjobs", {**gone, "metadata": metadata})

    run, stays = submit(act=act, own=own)
    assert (run.exit_code, run.record.status, stays) == (5, "NOT_SUBMITTED", again)
    assert run.error.what.endswith("cannot become ready: somebody deleted it")
    assert run.error.next == "submit it again"


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("status", [403, 410, 429, 500, 503])
def test_an_api_server_that_refuses_for_a_while_ends_no_wait_and_deletes_nothing(
    api, ray, submit, ways, monkeypatch, own, status
):
    """As one that is started again: it answers 403 until it has read its RBAC rules."""
    monkeypatch.setattr("raykit.kube.api_server.BUSY_SECONDS", 0.0)
    answer, refused = api.answer, []

    def refuse(method, path, query, body):
        said = answer(method, path, query, body)
        if method == "GET" and path.endswith("/rayjobs/echo-1") and len(refused) < 3:
            refused.append(path)
            message = 'User "jane" cannot get resource "rayjobs" in API group "ray.io"'
            return status, {"kind": "Status", "code": status, "message": message}
        return said

    def act():
        monkeypatch.setattr(api, "answer", refuse)
        return goes_on

    def goes_on():
        if own:
            has_head(api, "first")
        return arrives(ray, log=b"x\n")

    run, stays = submit(act=act, own=own)
    assert (run.exit_code, run.record.status, stays) == (0, "SUCCEEDED", True)
    assert refused


def test_a_right_that_is_missing_ends_the_wait_with_its_name(api, submit, monkeypatch):
    monkeypatch.setattr("raykit.kuberay.waiting.RULES_SECONDS", 0.2)
    answer = api.answer

    def refuse(method, path, query, body):
        if method == "GET" and path.endswith("/pods"):
            message = 'User "jane" cannot list resource "pods" in API group ""'
            return 403, {"kind": "Status", "code": 403, "message": message}
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", refuse)
    run, stays = submit(Limits(timeout=60), lambda: has_head(api, "first"), own=True)
    assert (run.exit_code, stays) == (4, False)
    assert "not allowed in context kind-here: list pods" in run.error.what
