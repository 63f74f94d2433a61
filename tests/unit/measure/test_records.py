"""Run records on disk: whole or refused, found by id, written atomically."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from raykit.errors import MissingError, RecordError, UsageError
from raykit.measure.records import LOG, RECORD, RunRecord, RunsFolder, into, write_atomically
from raykit.phases import Phase


@pytest.fixture
def runs(tmp_path):
    return RunsFolder(tmp_path / "runs")


def test_a_record_is_read_as_it_was_written(runs, make_record):
    record = make_record(phases=[Phase("submit", 5.0, 0.25)], status="SUCCEEDED", ended=9.0)
    record.add_event({"raykit": 1, "event": "start", "job": "fib", "time": 1.0})
    record.add_event({"raykit": 1, "event": "span", "name": "x", "start": 1.0, "seconds": 2.0})
    record.add_event({"raykit": 1, "event": "result", "data": {"answer": 42}})
    record.add_event({"raykit": 1, "event": "error", "cause": "data", "message": "no"})
    path = runs.write(record)
    assert path == runs.path / record.id / RECORD
    assert runs.read(record.id) == record
    assert record.start == {"job": "fib", "time": 1.0}
    assert record.spans == [{"name": "x", "start": 1.0, "seconds": 2.0}]
    assert record.results == [{"data": {"answer": 42}}]
    assert record.errors == [{"cause": "data", "message": "no"}]


def test_a_runs_folder_of_links_that_lead_to_each_other_is_an_error_of_ours(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    runs = RunsFolder.chosen({"RAYKIT_RUNS": str(tmp_path / "a")})
    assert runs.ids() == []
    with pytest.raises(MissingError, match="cannot be written"):
        runs.check_writable()
    with pytest.raises(RecordError):
        runs.read("some-run")


def test_the_schema_comes_first_and_every_phase_has_source_clock_and_resolution(runs, make_record):
    path = runs.write(make_record(phases=[Phase("submit", 5.0, 0.25)]))
    data = json.loads(path.read_text("utf-8"))
    assert next(iter(data)) == "schema"
    assert data["phases"] == [
        {
            "name": "submit",
            "start": 5.0,
            "seconds": 0.25,
            "source": "raykit",
            "clock": "monotonic",
            "resolution": 0.001,
        }
    ]


def test_a_record_is_found_by_id_by_submission_id_and_as_last(runs, make_record):
    runs.write(make_record(id="20260101-000000-fib-aaaa", submission_id="one"))
    runs.write(make_record(id="20260102-000000-fib-bbbb", submission_id="two"))
    runs.write(make_record(id="20260103-000000-fib-cccc", submission_id="one"))
    assert runs.read("20260102-000000-fib-bbbb").submission_id == "two"
    assert runs.read("two").id == "20260102-000000-fib-bbbb"
    assert runs.read("one").id == "20260103-000000-fib-cccc"
    assert runs.read("last").id == "20260103-000000-fib-cccc"
    assert runs.ids() == sorted(runs.ids())


@pytest.mark.parametrize(
    ("wanted", "what"), [("last", "there are no runs yet"), ("x", "there is no run x")]
)
def test_a_run_that_is_not_there_is_refused(runs, wanted, what):
    with pytest.raises(RecordError) as caught:
        runs.read(wanted)
    assert caught.value.what == what
    assert caught.value.exit_code == 7
    assert str(runs.path) in caught.value.evidence[0]


def test_a_record_cut_short_anywhere_is_refused(runs, make_record):
    path = runs.write(make_record())
    whole = path.read_bytes()
    for size in range(0, len(whole) - 2, 11):
        path.write_bytes(whole[:size])
        with pytest.raises(RecordError, match="cannot be read"):
            runs.read("last")


@pytest.mark.parametrize(
    ("damage", "evidence"),
    [
        ({"schema": 99}, "schema 99, this raykit reads 1"),
        ({"colour": "red", "size": 3}, "unknown fields colour, size"),
        ({"job": "fib"}, "job is not an object: 'fib'"),
        ({"job": {"name": "fib"}}, "job.arguments is missing"),
        ({"started": "now"}, "started is not a time or length in seconds: 'now'"),
        ({"phases": [{"name": "x"}]}, "phases[0].start is missing"),
    ],
)
def test_a_damaged_record_is_refused_with_the_reason(runs, make_record, damage, evidence):
    path = runs.write(make_record())
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | damage), "utf-8")
    with pytest.raises(RecordError) as caught:
        runs.read("last")
    assert caught.value.evidence[0].endswith(evidence)


TEXTS = ("id", "submission_id", "status", "message")
MAPPINGS = ("job", "target", "versions", "machine", "cluster", "tasks", "log", "clock", "start")
LISTS = ("phases", "spans", "results", "errors", "notes")
TIMES = ("started", "ended")


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        *((field, 3) for field in TEXTS),
        *((field, ["name", "arguments"]) for field in MAPPINGS),
        *((field, {}) for field in LISTS),
        *((field, "now") for field in TIMES),
    ],
)
def test_each_field_of_another_kind_is_named(make_record, field, damage):
    with pytest.raises(ValueError, match=f"^{field} is not "):
        RunRecord.from_dict(make_record().as_dict() | {field: damage})


@pytest.mark.parametrize("content", ["", "[]", "3", "null", "{}", '{"schema": 1}'])
def test_what_is_no_record_at_all_is_refused(runs, make_record, content):
    runs.write(make_record()).write_text(content, "utf-8")
    with pytest.raises(RecordError):
        runs.read("last")


def test_a_list_of_runs_goes_on_after_a_damaged_one(runs, make_record):
    runs.write(make_record(id="20260101-000000-fib-aaaa")).write_text("{", "utf-8")
    runs.write(make_record(id="20260102-000000-fib-bbbb"))
    found = dict(runs.records())
    assert isinstance(found["20260101-000000-fib-aaaa"], RecordError)
    assert found["20260102-000000-fib-bbbb"].id == "20260102-000000-fib-bbbb"


def test_a_write_that_fails_leaves_the_record_as_it_was(runs, make_record, monkeypatch):
    record = make_record()
    path = runs.write(record)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    record.status = "SUCCEEDED"
    with pytest.raises(RecordError) as caught:
        runs.write(record)
    assert str(path) in caught.value.what
    assert caught.value.evidence == ("No space left on device",)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [RECORD]


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    runs = RunsFolder(tmp_path / "not" / "yet" / "runs")
    runs.check_writable()
    assert list(runs.path.iterdir()) == []
    runs.check_writable()


def test_a_record_is_written_also_where_the_folders_above_it_are_gone(tmp_path, make_record):
    runs = RunsFolder(tmp_path / "not" / "yet" / "runs")
    record = make_record()
    runs.write(record)
    assert runs.read(record.id) == record


def test_the_files_of_a_run_have_the_names_that_users_know(runs, make_record):
    path = runs.write(make_record())
    assert path == runs.path / "20261123-234249-fib-dce3" / "record.json"
    path.with_name("driver.log").write_bytes(b"said")
    assert runs.log("20261123-234249-fib-dce3") == b"said"


def test_a_folder_that_cannot_be_written_is_refused_with_4_and_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError) as caught:
        RunsFolder(tmp_path / "file" / "runs").check_writable()
    assert caught.value.exit_code == 4
    assert caught.value.next == "set RAYKIT_RUNS to a folder that can be written"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_disk_that_is_full_before_the_start_is_refused_too(runs, monkeypatch):
    runs.path.mkdir()
    (runs.path / f".write-{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(MissingError) as caught:
        runs.check_writable()
    assert "No space left" in caught.value.evidence[0]
    assert list(runs.path.iterdir()) == []


def test_a_log_is_given_byte_for_byte_and_a_missing_one_is_refused(runs, make_record):
    record = make_record()
    runs.write(record)
    with pytest.raises(RecordError):
        runs.log(record.id)
    (runs.folder(record.id) / LOG).write_bytes(b"\xff\r\nx")
    assert runs.log(record.id) == b"\xff\r\nx"


HOSTILE = ["../../x", "/etc/x", "..", ".", "", ".hidden", "a/b", "a\\b", "a\nb", "a b", "x" * 129]


@pytest.mark.parametrize("name", [*HOSTILE, "é", "\udcff", "a\x00b"])
def test_a_name_that_is_no_plain_one_is_never_a_folder(runs, make_record, name):
    for use in (runs.folder, runs.log, lambda name: runs.write(make_record(id=name))):
        with pytest.raises(RecordError, match="cannot be the name of a run"):
            use(name)
    assert not runs.path.exists()


def test_last_is_the_newest_by_time_whatever_the_ids_are(runs, make_record):
    runs.write(make_record(id="raysubmit_zzz", submission_id="theirs", started=1767225600.0))
    runs.write(make_record(id="20260102-000000-fib-aaaa", submission_id="mine"))
    runs.write(make_record(id="20260103-000000-b-0000", started=1767398400.1))
    runs.write(make_record(id="20260103-000000-a-0000", started=1767398400.9))
    newest_first = [runs.read(word).id for word in ("last", "last~1", "last~2", "last~3")]
    assert newest_first == [
        "20260103-000000-a-0000",
        "20260103-000000-b-0000",
        "20260102-000000-fib-aaaa",
        "raysubmit_zzz",
    ]
    with pytest.raises(RecordError, match="there is no run last~4"):
        runs.read("last~4")


def test_a_record_that_cannot_say_when_it_began_counts_by_its_file(runs, make_record):
    runs.write(make_record(id="raysubmit_a", submission_id="a", started=1767225600.0))
    damaged = runs.write(make_record(id="raysubmit_b", submission_id="b"))
    damaged.write_text("{")
    for moment, newest in ((1767225500.0, "raysubmit_a"), (1767225700.0, "raysubmit_b")):
        os.utime(damaged, (moment, moment))
        assert runs.ids()[-1] == newest


def test_a_job_of_a_name_and_arguments_alone_is_whole(runs, make_record):
    runs.write(make_record(job={"name": "fib", "arguments": []}))
    assert runs.read("last").job == {"name": "fib", "arguments": []}


def test_the_beginning_of_an_id_names_a_run_where_it_is_the_only_one(runs, make_record):
    runs.write(make_record(id="20260101-000000-fib-aaaa", submission_id="first-job"))
    runs.write(make_record(id="20260102-000000-fib-bbbb", submission_id="second-job"))
    assert runs.find("20260102") == "20260102-000000-fib-bbbb"
    assert runs.find("first") == "20260101-000000-fib-aaaa"
    assert runs.find("fir") is None, "three characters are too easily somebody else's"
    with pytest.raises(UsageError) as caught:
        runs.read("2026")
    assert caught.value.what == "2026 is the beginning of 2 runs"
    assert caught.value.evidence == ("20260101-000000-fib-aaaa", "20260102-000000-fib-bbbb")


def test_a_whole_id_comes_before_what_only_begins_so(runs, make_record):
    runs.write(make_record(id="20260101-000000-fib-aaaa", submission_id="jobs"))
    runs.write(make_record(id="20260102-000000-fib-bbbb", submission_id="jobs-2"))
    assert runs.find("jobs") == "20260101-000000-fib-aaaa"


def test_one_raykit_at_a_time_follows_a_run(runs):
    with runs.followed("run-1") as first, runs.followed("run-1") as second:
        assert (first, second) == (True, False)
    with runs.followed("run-1") as later:
        assert later


def test_a_device_is_written_into_and_not_replaced(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"evidence")
    reader.join(240)
    assert got == [b"evidence"]
    assert pipe.is_fifo()


def test_a_pipe_that_a_process_has_open_is_written_into_by_its_name(tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        write_atomically(Path(f"/dev/fd/{writing}"), b"evidence")
        os.close(writing)
        assert pipe.read() == b"evidence"


def test_a_file_that_a_shell_has_opened_is_written_into_by_the_systems_name_for_it(tmp_path):
    opened = tmp_path / "out"
    with opened.open("wb") as out:
        write_atomically(Path(f"/dev/fd/{out.fileno()}"), b"evidence")
    assert opened.read_bytes() == b"evidence"


@pytest.mark.parametrize("kind", ["file", "pipe", "nothing"])
@pytest.mark.parametrize("name", ["record.json", f".record.json.{os.getpid()}"])
def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path, kind, name):
    theirs, link = tmp_path / "theirs", tmp_path / name
    if kind == "file":
        theirs.write_bytes(b"not ours")
    elif kind == "pipe":
        os.mkfifo(theirs)
    link.symlink_to(theirs)
    write_atomically(tmp_path / "record.json", b"ours")
    assert (tmp_path / "record.json").read_bytes() == b"ours"
    assert not (tmp_path / "record.json").is_symlink()
    if kind == "file":
        assert theirs.read_bytes() == b"not ours"
    assert theirs.exists() == (kind != "nothing")
    assert {entry.name for entry in tmp_path.iterdir()} <= {"record.json", "theirs"}


def test_a_folder_in_place_of_a_file_is_an_error_and_stays(tmp_path):
    (tmp_path / "record.json").mkdir()
    with pytest.raises(RecordError, match="could not be written"):
        write_atomically(tmp_path / "record.json", b"ours")
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o400, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, usual_umask, mode):
    report = tmp_path / "report.html"
    report.write_bytes(b"old")
    report.chmod(mode)
    write_atomically(report, b"new")
    assert (report.read_bytes(), oct(permissions(report))) == (b"new", oct(mode))


def test_a_private_file_is_private_while_its_replacement_is_written(tmp_path, usual_umask):
    report = tmp_path / "report.html"
    report.touch(mode=0o600)
    with into(report) as out:
        (beside,) = (path for path in tmp_path.iterdir() if path != report)
        assert permissions(beside) == 0o600
        out.write(b"new")


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, usual_umask):
    write_atomically(tmp_path / "report.html", b"new")
    assert permissions(tmp_path / "report.html") == 0o644


@pytest.mark.parametrize(("theirs", "ours"), [(0o600, 0o600), (0o666, 0o644), (0o644, 0o644)])
def test_what_replaces_a_link_is_no_wider_than_its_target_nor_than_a_new_file(
    tmp_path, usual_umask, theirs, ours
):
    target, link = tmp_path / "target", tmp_path / "report.html"
    target.touch()
    target.chmod(theirs)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert (oct(permissions(link)), oct(permissions(target))) == (oct(ours), oct(theirs))


def test_a_file_of_another_group_gives_that_of_the_new_one_only_what_everybody_had(
    tmp_path, usual_umask
):
    report = tmp_path / "report.html"
    report.touch()
    try:
        os.chown(report, -1, os.getgid() + 1)
    except PermissionError:
        pytest.skip("this user may not give a file to another group")
    for mode, kept in ((0o640, 0o600), (0o664, 0o644)):
        report.chmod(mode)
        os.chown(report, -1, os.getgid() + 1)
        write_atomically(report, b"new")
        assert oct(permissions(report)) == oct(kept)
