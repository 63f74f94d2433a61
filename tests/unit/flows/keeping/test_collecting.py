"""Evidence that is kept by itself never changes how a command ends."""

import io

import pytest

from raykit.errors import INTERRUPTS, DataError, Interrupt, JobFailedError, RecordError, UsageError
from raykit.flows.keeping import collecting, gathering, reading
from raykit.flows.session import Run
from raykit.flows.targets.address import Address
from raykit.measure.keeping.evidence import Collected, Collection
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent

HEAD = Address("http://127.0.0.1:1/", "a test", {})


class Notes(Silent):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


@pytest.fixture
def runs(tmp_path):
    return RunsFolder(tmp_path)


@pytest.fixture
def keep(ray, runs, make_record):
    """`keep(error)`: what a run with this error leaves, and what is said."""

    def after(error):
        notes = Notes()
        run = Run(make_record(target={"kind": "url", "url": HEAD.url}), error)
        runs.write(run.record)
        collecting.after_failure(run, HEAD, ray.api(), runs, Progress(notes))
        return notes.lines

    return after


def test_a_failed_job_keeps_evidence_beside_its_record(keep, runs):
    (line,) = keep(JobFailedError("the job FAILED"))
    assert line.startswith("evidence kept: raykit runs show ")
    path = reading.find(runs, line.split()[-2])
    assert reading.index(path).why.endswith(": the job FAILED")


@pytest.mark.parametrize("error", [None, UsageError("no"), DataError("corrupt")])
def test_what_is_not_the_clusters_fault_leaves_none(keep, error):
    assert keep(error) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [(KeyError("x"), "KeyError"), (OSError("full"), "OSError"), (Interrupt(), "interrupted")],
)
def test_whatever_goes_wrong_is_one_line(keep, monkeypatch, broken, words):
    def gather(*_):
        raise broken

    monkeypatch.setattr(gathering, "gather", gather)
    (line,) = keep(JobFailedError("the job FAILED"))
    assert line.startswith("no evidence was kept: ")
    assert words in line


def test_an_interrupt_before_the_end_of_a_cluster_ends_nothing(runs, monkeypatch):
    def gather(*_):
        raise Interrupt

    monkeypatch.setattr(gathering, "gather", gather)
    with pytest.raises(INTERRUPTS):
        collecting.before_end(HEAD, runs, Progress())


def test_a_file_is_named_by_an_ending_that_only_one_has(runs):
    into = Collection(0.0)
    for name in ("nodes/a/raylet.out", "nodes/b/raylet.out", "ray/nodes.json"):
        into.add_log(name, name.encode())
    path = runs.path / "x.tar.gz"
    with path.open("wb") as out:
        into.close(out, Collected("x", 0.0, "a test", 0.0, {}))
    assert reading.file(path, "nodes.json") == b"ray/nodes.json"
    assert reading.file(path, "nodes/b/raylet.out") == b"nodes/b/raylet.out"
    with pytest.raises(UsageError) as several:
        reading.file(path, "raylet.out")
    assert several.value.evidence == ("nodes/a/raylet.out", "nodes/b/raylet.out")
    with pytest.raises(RecordError, match="has no file"):
        reading.file(path, "des.json")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RecordError, match="cannot be read"):
        reading.file(path, "nodes.json")


def made(runs, name, submission_id, **target):
    into = Collection(0.0)
    into.add_job(submission_id)
    out = io.BytesIO()
    into.close(out, Collected(name, 0.0, "a test", 0.0, target))
    folder = runs.folder(name)
    folder.mkdir()
    (folder / "evidence.tar.gz").write_bytes(out.getvalue())


def test_a_run_without_evidence_of_its_own_has_that_of_its_cluster(runs, make_record):
    here = {"kind": "kubernetes", "context": "c", "namespace": "n", "cluster": "one"}
    record = make_record(target={"chosen": "", **here})
    runs.write(record)
    assert reading.find(runs, record.id) is None
    made(runs, "20261126-150000-one-aaaa", record.submission_id, **here)
    made(runs, "20261126-160000-two-aaaa", record.submission_id, **{**here, "cluster": "two"})
    made(runs, "20261126-170000-one-bbbb", "another-job", **here)
    found = reading.find(runs, record.id)
    assert found.parent.name == "20261126-150000-one-aaaa"
    assert reading.find(runs, "20261126-17").parent.name == "20261126-170000-one-bbbb"
    assert reading.find(runs, "20261126-1") is None, "the beginning of several names none"
    assert reading.find(runs, "nothing-here") is None
