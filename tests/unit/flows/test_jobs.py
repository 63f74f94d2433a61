"""Jobs by a user's word: which run or job it names, which head is asked, and what is written."""

import pytest

from raykit.errors import JobsApiError, RecordError, UsageError
from raykit.flows import jobs
from raykit.flows.targets import choosing
from raykit.flows.targets.where import Where
from raykit.local import folders
from raykit.measure.records import LOG, RunsFolder
from raykit.progress import Progress, Silent

pytestmark = pytest.mark.usefixtures("fast", "no_late_events")
OWN_HEAD = {"chosen": "running on a local Ray head of its own", "kind": "local", "url": "x"}


@pytest.fixture
def no_late_events(monkeypatch):
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)


@pytest.fixture
def runs(tmp_path):
    return RunsFolder(tmp_path / "here" / "runs")


@pytest.fixture
def on(ray):
    return Where({}, on=ray.url)


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("answer", ["../../x", "/tmp/x", "..", "other-job", ""])
def test_a_heads_answer_never_decides_where_a_record_is_written(ray, runs, on, tmp_path, answer):
    ray.job(id="job-1", status="SUCCEEDED").id = answer
    before = files(tmp_path)
    with pytest.raises(JobsApiError) as caught:
        jobs.attach("job-1", on, runs, Progress())
    assert "answers, but not as a Ray head does" in caught.value.what
    assert files(tmp_path) == before


def test_the_record_of_somebody_elses_job_gets_an_id_of_our_own(ray, runs, on):
    ray.job(id="raysubmit_zz", status="SUCCEEDED", metadata={"raykit-folder": "/elsewhere"})
    seen = Notes()
    run = jobs.attach("raysubmit_zz", on, runs, Progress(seen))
    assert run.record.id.startswith("20231114-221320-raysubmit-zz-")
    assert runs.read("raysubmit_zz").id == run.record.id
    assert f"{runs.path} has no run of the job raysubmit_zz" in "".join(seen.notes)
    assert "/elsewhere" not in "".join(seen.notes), "that folder is on another machine"


def test_last_is_not_an_older_job_that_was_attached_later(ray, runs, on, make_record):
    runs.write(make_record())
    ray.job(id="raysubmit_zz", status="SUCCEEDED")
    jobs.attach("raysubmit_zz", on, runs, Progress())
    assert runs.read("last").id == make_record().id


def test_stop_last_never_ends_a_job_that_was_not_submitted_from_here(ray, runs, on):
    job = ray.job(id="raysubmit_zz")
    ray.jobs["raysubmit_zz"].status = "SUCCEEDED"
    jobs.attach("raysubmit_zz", on, runs, Progress())
    job.status = "RUNNING"
    with pytest.raises(UsageError) as caught:
        jobs.stop("last", on, runs, Progress())
    assert caught.value.next == "raykit stop raysubmit_zz if you mean that job"
    assert job.status == "RUNNING"
    assert jobs.stop("raysubmit_zz", on, runs, Progress()).confirmed


@pytest.mark.parametrize("word", ["job-1", "job-1-long", "job-1-l"])
def test_a_job_is_known_by_its_id_or_the_beginning_of_it(ray, runs, on, word):
    ray.job(id="job-1-long", status="SUCCEEDED")
    assert jobs.stop(word, on, runs, Progress()).submission_id == "job-1-long"


def test_a_beginning_that_two_jobs_share_names_none(ray, runs, on):
    ray.job(id="job-1")
    ray.job(id="job-2")
    with pytest.raises(JobsApiError) as caught:
        jobs.stop("job-", on, runs, Progress())
    assert caught.value.what == "the head knows 2 jobs that begin with job-"
    assert {job.status for job in ray.jobs.values()} == {"RUNNING"}


@pytest.mark.parametrize(
    "word", ["../version", "x/stop", "a?b=c", "", "ä", "\udcff", "a b", "\x00"]
)
def test_a_word_that_is_no_id_is_refused_and_asks_for_nothing_else(ray, runs, on, word):
    with pytest.raises(JobsApiError, match="the head knows no job"):
        jobs.stop(word, on, runs, Progress())
    assert {path for _, path, _ in ray.requests} <= {"/api/jobs/", "/api/authentication_mode"}


@pytest.mark.parametrize("act", [jobs.attach, jobs.stop])
def test_last_without_any_run_is_7_and_asks_no_head(ray, runs, on, act):
    with pytest.raises(RecordError, match="there are no runs yet"):
        act("last", on, runs, Progress())
    assert ray.requests == []
    assert not runs.path.exists()


def test_an_attach_that_finds_no_job_makes_no_folder(ray, runs, on):
    with pytest.raises(JobsApiError):
        jobs.attach("nothing", on, runs, Progress())
    assert not runs.path.exists()


def test_that_there_is_no_such_run_comes_before_which_cluster_could_be_meant(runs, monkeypatch):
    def choose(_where):
        raise UsageError("2 clusters could be meant", evidence=["a", "b"], next="--on NAME")

    monkeypatch.setattr(choosing, "choose", choose)
    with pytest.raises(UsageError) as caught:
        jobs.attach("my-job", Where({}), runs, Progress())
    assert caught.value.what.startswith("there is no run my-job here")
    assert caught.value.evidence == (
        f"looked in {runs.path}",
        "2 clusters could be meant",
        "a",
        "b",
    )
    assert caught.value.next == "--on NAME"


def test_a_run_that_was_never_submitted_is_no_success_of_attach(runs, make_record):
    record = make_record(status="NOT_SUBMITTED", message="its pod is refused\nquota")
    runs.write(record)
    run = jobs.attach("last", Where({}), runs, Progress())
    assert run.exit_code == 6
    assert run.error.evidence == ("its pod is refused", "quota")
    assert run.error.next == f"raykit runs show {record.id}; then submit it again"


def test_a_run_under_way_on_a_head_of_its_own_is_told_from_one_that_has_ended(runs, make_record):
    with folders.created() as (folder, _):
        runs.write(make_record(target=OWN_HEAD | {"folder": str(folder)}))
        with pytest.raises(JobsApiError) as caught:
            jobs.attach("last", Where({}), runs, Progress())
    folders.remove(folder)
    assert "goes on in another terminal" in caught.value.what
    assert "raykit up --on local" in caught.value.next
    with pytest.raises(JobsApiError, match="which has ended"):
        jobs.attach("last", Where({}), runs, Progress())


def test_the_log_of_a_run_under_way_elsewhere_is_what_the_disk_has(runs, make_record):
    record = make_record(target=OWN_HEAD)
    runs.write(record)
    (runs.folder(record.id) / LOG).write_bytes(b"so far\n")
    said = []
    jobs.log("last", Where({}), runs, Progress(), said.append, following=True)
    assert b"".join(said) == b"so far\n"


def test_a_second_follower_shows_the_job_and_leaves_the_record_to_the_first(ray, runs, make_record):
    record = make_record(target={"chosen": "x", "kind": "url", "url": ray.url})
    path = runs.write(record)
    before = path.read_bytes()
    ray.job(id=record.submission_id, status="SUCCEEDED", log=b"hello\n")
    seen = Notes()
    with runs.followed(record.id):
        run = jobs.attach("last", Where({}), runs, Progress(seen))
    assert run.record.status == "SUCCEEDED"
    assert any("another raykit follows this run" in note for note in seen.notes)
    assert path.read_bytes() == before
    assert files(runs.folder(record.id)) == ["record.json"]


@pytest.fixture(params=["no kubeconfig", "another context"])
def lacks_the_context(request, kubeconfig, monkeypatch):
    """A kubeconfig without the context `kind-gone`: after `kind delete cluster`, or another file.

    Nothing listens where its own context leads.
    """
    path = kubeconfig("http://127.0.0.1:1", context="kind-other")
    if request.param == "no kubeconfig":
        path.unlink()
    return path


@pytest.fixture(params=["cluster", "rayjob"])
def on_gone_context(request, runs, make_record, monkeypatch, lacks_the_context):
    """A run on such a context, on a RayCluster or as a RayJob. Returns a function that keeps it."""
    monkeypatch.setenv("RAYKIT_RUNS", str(runs.path))
    place = {"kind": "kubernetes", "context": "kind-gone", "namespace": "n", request.param: "mine"}

    def keep(**fields):
        runs.write(make_record(id="run-1", submission_id="job-1", target=place, **fields))

    return keep


NOT_IN_KUBECONFIG = "the context kind-gone of the run run-1 is not in the kubeconfig"


def test_the_saved_log_is_printed_where_the_kubeconfig_lacks_the_context(
    raykit, runs, on_gone_context
):
    on_gone_context()
    (runs.folder("run-1") / LOG).write_bytes(b"so far\n")
    code, out, said = raykit("logs", "run-1")
    said = " ".join(said.split())
    assert (code, out) == (0, "so far\n")
    assert f"{NOT_IN_KUBECONFIG}; this is the log saved as far as it was read" in said
    assert "gone" not in said.replace("kind-gone", ""), "the cluster may be there"


@pytest.mark.parametrize("command", ["logs", "stop", "attach"])
def test_without_a_saved_log_or_an_end_the_missing_context_is_the_error(
    raykit, runs, on_gone_context, lacks_the_context, command
):
    on_gone_context()
    code, _, said = raykit(command, "run-1")
    said = " ".join(said.split())
    assert code == 4
    assert NOT_IN_KUBECONFIG in said
    assert "status when last seen: UNFINISHED" in said
    assert f"looked in {lacks_the_context}" in said
    assert "raykit runs show run-1 has what was recorded" in said


def test_a_complete_run_is_complete_also_without_its_context(raykit, runs, on_gone_context):
    on_gone_context(status="SUCCEEDED")
    assert raykit("stop", "run-1")[:2] == (0, "job-1: SUCCEEDED\n")
    assert raykit("attach", "run-1")[0] == 0


def test_a_context_that_the_user_names_has_to_be_there(raykit, runs, on_gone_context):
    on_gone_context()
    (runs.folder("run-1") / LOG).write_bytes(b"so far\n")
    code, out, said = raykit("logs", "run-1", "--context", "kind-otter")
    assert (code, out) == (4, "")
    assert NOT_IN_KUBECONFIG not in " ".join(said.split())
