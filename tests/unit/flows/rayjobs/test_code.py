"""A RayJob with local code that gets another head: `attach` brings the code, if it is the same."""

import contextlib

import pytest

from raykit.endpoint import Endpoint
from raykit.flows import jobs
from raykit.flows.rayjobs import code
from raykit.flows.targets.where import Where
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent
from raykit.submission import entrypoints, uploads
from raykit.testing import FakeJob

RAYJOB = {
    "metadata": {"name": "mine-1", "namespace": "n", "uid": "uid-1"},
    "spec": {"entrypoint": "python mine.py", "jobId": "job-1"},
    "status": {"jobDeploymentStatus": "Running", "rayClusterName": "second"},
}


@pytest.fixture
def folder(tmp_path):
    """The user's folder, with files that are not packed."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "mine.py").write_text("answer = 42")
    (folder / "left.out").write_text("x")
    (folder / ".rayignore").write_text("*.out")
    return folder


@pytest.fixture
def runs(tmp_path, folder, make_record):
    """A run whose submission carried the code, and has ended."""
    target = {"kind": "kubernetes", "context": "kind-here", "namespace": "n", "rayjob": "mine-1"}
    record = make_record(id="run-1", submission_id="job-1", target=target | {"rayjob_uid": "uid-1"})
    entrypoint = entrypoints.of_words(["python", "mine.py"], folder)
    with uploads.plan(entrypoint, {"excludes": ["*.csv"]}).packed({}) as packed:
        code.keep(record, packed)
    runs = RunsFolder(tmp_path / "runs")
    runs.write(record)
    return runs


class Submitter(Silent):
    """What is shown at a wait is the moment at which the submitter's pod finds its package.

    interrupted_at: the beginning of the step in which the user presses Ctrl-C.
    """

    def __init__(self, ray, interrupted_at):
        self.ray, self.steps, self.waits = ray, [], 0
        self.interrupted_at = interrupted_at

    def step_started(self, title):
        self.steps.append(title)
        if self.interrupted_at and title.startswith(self.interrupted_at):
            raise KeyboardInterrupt

    def step_detail(self, text):
        self.waits += 1
        if self.ray.packages or self.waits > 1:
            job = FakeJob("job-1", status="SUCCEEDED", exit_code=0, log=b"x\n")
            self.ray.jobs["job-1"] = job


@pytest.fixture
def attach(api, ray, kubeconfig, runs, monkeypatch):
    """Attaches to the run, whose RayJob has a new head; the run, and what was uploaded."""
    labels = {"ray.io/cluster": "second", "ray.io/node-type": "head"}
    spec = {"headGroupSpec": {"template": {"spec": {"containers": []}}}}
    metadata = {"namespace": "n", "creationTimestamp": "2026-11-26T09:00:00Z"}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pod = {"name": "second-head", "labels": labels, **metadata}
    api.keep("rayjobs", RAYJOB)
    api.keep("events")
    api.keep("rayclusters", {"metadata": {"name": "second", **metadata}, "spec": spec})
    api.keep("pods", {"metadata": pod, "spec": {"containers": []}, "status": ready})
    kubeconfig(api.url)

    @contextlib.contextmanager
    def reach(*_):
        yield Endpoint(ray.url)

    monkeypatch.setattr("raykit.flows.rayjobs.arrival.reach", reach)
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)

    def attach(interrupted_at="", timeout=60):
        submitter = Submitter(ray, interrupted_at)
        run = jobs.attach("run-1", Where({}), runs, Progress(submitter), timeout)
        return run, [title for title in submitter.steps if title.startswith("upload")]

    return attach


def test_the_code_is_uploaded_again_to_a_head_that_lacks_it(attach, ray, runs):
    (source,) = runs.read("run-1").job["code"]
    run, uploaded = attach()
    assert (run.exit_code, run.record.status) == (0, "SUCCEEDED")
    assert (list(ray.packages), uploaded) == ([source["package"]], ["upload code/"])


@pytest.mark.parametrize("has", ["job", "package"])
def test_nothing_is_packed_for_a_head_that_has_the_job_or_its_code(attach, ray, runs, folder, has):
    """So a folder that was edited since the submission hinders nobody from following the job."""
    (folder / "mine.py").write_text("answer = 43")
    if has == "job":
        ray.jobs["job-1"] = FakeJob("job-1", status="SUCCEEDED", exit_code=0, log=b"x\n")
    else:
        ray.packages[runs.read("run-1").job["code"][0]["package"]] = b"zip"
    run, uploaded = attach()
    assert (run.exit_code, uploaded) == (0, [])


def changes(folder):
    (folder / "mine.py").write_text("answer = 43")


def adds(folder):
    (folder / "more.py").write_text("")


def removes(folder):
    (folder / "mine.py").unlink()


def moves(folder):
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("edit", "exit_code", "words"),
    [
        (changes, 8, "has changed since it was submitted"),
        (adds, 8, "has changed since it was submitted"),
        (removes, 4, "is not here any more: "),
        (moves, 4, "is not here any more: "),
    ],
)
def test_other_code_than_was_submitted_is_never_uploaded_and_the_error_says_the_repair(
    attach, api, ray, runs, folder, edit, exit_code, words
):
    edit(folder)
    run, uploaded = attach()
    assert (run.exit_code, uploaded, ray.packages) == (exit_code, [], {})
    assert words in run.error.what
    assert str(folder) in run.error.what
    assert "the head that KubeRay made since lacks this code" in run.error.evidence
    assert run.error.next == (
        "restore the folder, then raykit attach run-1; or raykit stop run-1, and submit it again"
    )
    assert runs.read("run-1").status == "UNFINISHED"
    assert len(api.kept["rayjobs"]) == 1


@pytest.mark.parametrize("name", ["left.out", "data.csv"])
def test_files_that_are_not_packed_may_change(attach, folder, name):
    (folder / name).write_text("another")
    assert attach()[0].exit_code == 0


def test_a_second_follower_leaves_the_code_to_the_first(attach, ray, runs, folder):
    changes(folder)
    with runs.followed("run-1"):
        run, uploaded = attach()
    assert (run.exit_code, uploaded) == (0, [])


WAITS = "the job job-1 waits until its local code is on the head"
UPLOADS = "raykit attach job-1 uploads it and follows the job; raykit stop job-1 ends it"


@pytest.mark.parametrize("step", ["Ray head of RayJob", "Ray head of kind-here", "upload"])
def test_an_interrupt_before_the_code_is_on_the_head_says_that_the_job_waits_for_it(
    attach, api, runs, step
):
    run, _ = attach(interrupted_at=step)
    assert (run.exit_code, run.error.what) == (130, f"interrupted: {WAITS}")
    assert run.error.next == UPLOADS
    assert runs.read("run-1").status == "UNFINISHED"
    assert len(api.kept["rayjobs"]) == 1, "it can still be attached to"


def test_a_time_out_before_the_code_is_on_the_head_says_so_too(attach, api):
    api.kept["pods"].clear()
    run, _ = attach(timeout=0.01)
    assert run.exit_code == 22
    assert run.error.what == "the job job-1 still waits for its local code after 0.01 s"
    assert run.error.next == UPLOADS


def uploads_the_code(ray, runs):
    """The interrupt comes after the upload."""
    return contextlib.nullcontext()


def has_the_code(ray, runs):
    ray.packages[runs.read("run-1").job["code"][0]["package"]] = b"zip"
    return contextlib.nullcontext()


def leaves_it_to_another(ray, runs):
    return runs.followed("run-1")


@pytest.mark.parametrize("scene", [uploads_the_code, has_the_code, leaves_it_to_another])
def test_an_interrupt_of_a_job_that_has_its_code_says_that_it_goes_on(attach, ray, runs, scene):
    with scene(ray, runs):
        run, _ = attach(interrupted_at="job ")
    assert (run.exit_code, run.error.what) == (130, "interrupted: the job job-1 goes on")


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, "the job job-1 goes on"),
        ({"jobDeploymentStatus": "Suspended", "jobStatus": "RUNNING"}, WAITS),
    ],
)
def test_before_the_head_is_asked_kuberay_says_whether_the_job_has_its_code(
    attach, api, status, what
):
    api.keep("rayjobs", {**RAYJOB, "status": {"rayClusterName": "second", **status}})
    run, _ = attach(interrupted_at="Ray head of RayJob")
    assert run.error.what == f"interrupted: {what}"


WHOLE = {"package": "p", "path": "/", "title": "", "top": "", "excludes": [], "script": None}


@pytest.mark.parametrize(
    "kept",
    [None, "x", 7, [7], [{}], [{**WHOLE, "path": None}], [{**WHOLE, "more": 1}]]
    + [[{**WHOLE, "excludes": each}] for each in (None, [1], 7)],
)
def test_a_record_that_does_not_say_where_its_code_comes_from_is_7(attach, runs, kept):
    record = runs.read("run-1")
    record.job["code"] = kept
    runs.write(record)
    run, uploaded = attach()
    assert (run.exit_code, uploaded) == (7, [])
    assert "does not say where its code comes from" in run.error.what
