"""Evidence that is kept by itself never changes how a command ends."""

import io
from pathlib import Path

import pytest

from raykit.errors import (
    INTERRUPTS,
    DataError,
    Interrupt,
    JobFailedError,
    KubernetesError,
    RecordError,
    UsageError,
)
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
    path = found(runs, line.split()[-2])
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


def found(runs, word):
    return reading.find(runs, word, runs.find(word))


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
    assert found(runs, record.id) is None
    made(runs, "20261126-150000-one-aaaa", record.submission_id, **here)
    made(runs, "20261126-160000-two-aaaa", record.submission_id, **{**here, "cluster": "two"})
    made(runs, "20261126-170000-one-bbbb", "another-job", **here)
    assert found(runs, record.id).parent.name == "20261126-150000-one-aaaa"
    assert reading.of_run(runs, record).parent.name == "20261126-150000-one-aaaa"
    assert found(runs, "20261126-17").parent.name == "20261126-170000-one-bbbb"
    assert found(runs, "20261126-1") is None, "the beginning of several names none"
    assert found(runs, "nothing-here") is None


@pytest.mark.parametrize(
    ("saved", "collected", "kept", "source"),
    [
        (None, None, None, None),
        (b"", None, None, None),
        (b"so far\n", None, b"so far\n", "saved as far as it was read"),
        (b"so far\n", b"so far\nand more\n", b"so far\nand more\n", "in the evidence"),
        (b"the whole log\n", b"its end\n", b"the whole log\n", "saved"),
        (None, b"its end\n", b"its end\n", "in the evidence"),
    ],
)
def test_the_log_that_is_kept_of_a_run_is_the_longer_of_the_saved_one_and_the_evidences(
    runs, make_record, saved, collected, kept, source
):
    record = make_record()
    runs.write(record)
    folder = runs.folder(record.id)
    if saved is not None:
        (folder / "driver.log").write_bytes(saved)
    if collected is not None:
        into = Collection(0.0)
        into.add_log(f"jobs/{record.submission_id}/driver.log", collected)
        with (folder / "evidence.tar.gz").open("wb") as out:
            into.close(out, Collected(record.id, 0.0, "a test", 0.0, {}))
    log = reading.log(runs, record)
    assert (log and log.text) == kept
    assert kept is None or source in log.source


def test_a_clusters_name_names_its_newest_evidence(runs):
    here = {"kind": "kubernetes", "context": "c", "namespace": "n"}
    for stamp, cluster in (("20261126-150000", "one"), ("20261126-160000", "one")):
        made(runs, f"{stamp}-{cluster}-aaaa", "x", **here, cluster=cluster)
    made(runs, "20261126-170000-one-two-aaaa", "x", **here, cluster="one.two")
    assert found(runs, "one").parent.name == "20261126-160000-one-aaaa"
    assert found(runs, "one.two").parent.name == "20261126-170000-one-two-aaaa"
    assert found(runs, "one-two") is None


def test_the_reason_why_up_failed_is_shown_by_the_clusters_name(runs, ray, monkeypatch, raykit):
    error = KubernetesError("three did not become ready", evidence=["no node has 64 CPUs"])
    target = Address(ray.url, "a test", {})
    named = {"kind": "kubernetes", "context": "c", "namespace": "n", "cluster": "three"}
    monkeypatch.setattr(gathering, "name", lambda _: named)
    collecting.not_ready(target, error, runs, Progress())
    monkeypatch.setenv("RAYKIT_RUNS", str(runs.path))
    for words in (["three"], ["three", "--evidence"]):
        code, out, _ = raykit("runs", "show", *words)
        assert code == 0
        assert "for: three did not become ready: no node has 64 CPUs" in out
    code, _, err = raykit("runs", "show", "three", "--log")
    assert (code, "there is no run three" in err) == (7, True)


@pytest.mark.parametrize("word", ["last", "20260101", "one"])
def test_a_run_is_shown_after_one_look_at_the_folder(runs, make_record, monkeypatch, word, raykit):
    runs.write(make_record(id="20260101-000000-fib-aaaa", submission_id="one"))
    monkeypatch.setenv("RAYKIT_RUNS", str(runs.path))
    looks, glob = [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, what: looks.append(what) or glob(path, what))
    assert raykit("runs", "show", word)[0] == 0
    assert sorted(looks) == ["*/evidence.tar.gz", "*/record.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_file_that_a_full_disk_refuses_says_to_name_another(ray, raykit):
    code, _, err = raykit("collect", "--on", ray.url, "--output-file", "/dev/full")
    assert code == 7
    assert "/dev/full could not be written" in err
    assert "No space left" in err
    assert "next: give --output-file a file in a folder that can be written" in err


def test_an_address_that_does_not_answer_gives_no_evidence_and_says_why(raykit):
    code, _, said = raykit("collect", "--on", "http://127.0.0.1:1")
    assert code == 6
    assert "nothing could be had" in said
    assert "no answer from http://127.0.0.1:1" in said
