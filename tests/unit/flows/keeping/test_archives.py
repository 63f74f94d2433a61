"""`raykit runs export` and `import`: what leaves one machine arrives on another."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raykit.measure.keeping import archive
from raykit.measure.keeping.archive import File
from raykit.measure.keeping.evidence import EVIDENCE
from raykit.measure.records import EVENTS, LOG, RECORD, RunsFolder
from tests.unit.flows.keeping.test_pruning import experiment

NAME = "20260101-000000-fib-aaaa"


class Machine:
    """A folder of runs, and raykit with it."""

    def __init__(self, path, raykit, monkeypatch, make_record):
        self.runs = RunsFolder(path)
        self.run, self.patch, self.make_record = raykit, monkeypatch, make_record

    def raykit(self, *words):
        self.patch.setenv("RAYKIT_RUNS", str(self.runs.path))
        return self.run(*words)

    def add(self, name, log=b"said\n", **fields):
        fields = {"status": "SUCCEEDED", "ended": 1795477379.0} | fields
        self.runs.write(self.make_record(id=name, submission_id=name, **fields))
        (self.runs.folder(name) / LOG).write_bytes(log)
        (self.runs.folder(name) / EVENTS).write_bytes(b'{"raykit":1}\n')

    def content(self, name):
        return {path.name: path.read_bytes() for path in self.runs.folder(name).iterdir()}

    def names(self):
        return sorted(path.name for path in self.runs.path.iterdir())


@pytest.fixture
def here(tmp_path, raykit, monkeypatch, make_record):
    return Machine(tmp_path / "here", raykit, monkeypatch, make_record)


@pytest.fixture
def there(tmp_path, raykit, monkeypatch, make_record):
    return Machine(tmp_path / "there", raykit, monkeypatch, make_record)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some runs.tar.gz"


def test_a_run_arrives_as_it_left(here, there, file):
    here.add(NAME)
    (here.runs.folder(NAME) / EVIDENCE).write_bytes(b"what was collected")
    code, out, err = here.raykit("runs", "export", "last", "--output-file", file)
    assert (code, err) == (0, "")
    assert out == f"1 run in {file}, 0.0 MB\n"
    code, out, err = there.raykit("runs", "import", file)
    assert (code, out, err) == (0, f"{NAME}\nimported 1\n", "")
    assert there.content(NAME) == here.content(NAME) | {"imported": b""}
    assert there.raykit("runs", "show", "last", "--log")[1] == "said\n"


def test_an_experiment_brings_its_runs_and_compares_the_same(here, there, file):
    span = {"name": "t", "arm": "tasks", "start": 0.0, "seconds": 2.0}
    for number in (1, 2, 3):
        here.add(f"2026010{number}-000000-fib-aaaa", spans=[span])
    experiment(here.runs, "mine", "20260101-000000-fib-aaaa", "20260102-000000-fib-aaaa")
    assert here.raykit("runs", "export", "mine", "--output-file", file)[0] == 0
    assert there.raykit("runs", "import", file)[0] == 0
    assert there.names() == ["20260101-000000-fib-aaaa", "20260102-000000-fib-aaaa", "mine"]
    compared = here.raykit("compare", "mine")
    assert compared[0] == 0
    assert there.raykit("compare", "mine") == compared


def test_all_means_runs_and_experiments(here, there, file):
    here.add(NAME)
    here.add("20260102-000000-fib-bbbb")
    experiment(here.runs, "mine", NAME)
    code, out, _ = here.raykit("runs", "export", "--all", "--output-file", file, "-o", "json")
    data = json.loads(out)["data"]
    assert (code, data["experiments"]) == (0, ["mine"])
    assert data["runs"] == [NAME, "20260102-000000-fib-bbbb"]
    assert data["bytes"] == file.stat().st_size
    assert there.raykit("runs", "import", file)[0] == 0
    assert len(there.names()) == 3


def test_all_leaves_out_what_nobody_could_read_and_says_so(here, there, file):
    here.add(NAME)
    here.add("20260102-000000-fib-bbbb")
    (here.runs.folder("20260102-000000-fib-bbbb") / RECORD).write_text("{")
    code, _, err = here.raykit("runs", "export", "--all", "--output-file", file)
    assert (code, err) == (0, "1 run that cannot be read left out: 20260102-000000-fib-bbbb\n")
    assert there.raykit("runs", "import", file)[0] == 0
    assert there.names() == [NAME]
    assert here.raykit("runs", "export", "20260102", "--output-file", file)[0] == 7


def test_a_run_that_is_there_with_the_same_content_is_skipped(here, there, file):
    here.add(NAME)
    here.raykit("runs", "export", NAME, "--output-file", file)
    there.raykit("runs", "import", file)
    code, out, _ = there.raykit("runs", "import", file)
    assert (code, out) == (0, "imported 0; 1 were here already, with the same content\n")
    assert here.raykit("runs", "import", file)[0] == 0, "also where it came from"
    assert "imported" not in here.content(NAME)


@pytest.mark.parametrize("damaged", [RECORD, LOG, EVENTS])
def test_where_one_run_differs_nothing_is_imported(here, there, file, damaged):
    here.add(NAME)
    here.add("20260102-000000-fib-bbbb")
    there.add(NAME)
    path = there.runs.folder(NAME) / damaged
    path.write_bytes(path.read_bytes() + b" ")
    before = there.content(NAME)
    here.raykit("runs", "export", "--all", "--output-file", file)
    code, out, err = there.raykit("runs", "import", file)
    assert (code, out) == (8, "")
    assert f"  {NAME}\n" in err
    assert "nothing was imported" in err
    assert there.names() == [NAME]
    assert there.content(NAME) == before


def test_a_missing_log_is_another_content(here, there, file):
    here.add(NAME)
    there.add(NAME)
    (there.runs.folder(NAME) / LOG).unlink()
    here.raykit("runs", "export", NAME, "--output-file", file)
    assert there.raykit("runs", "import", file)[0] == 8


def forged(path, *contents):
    """An archive with these files. contents: (run, file name, bytes)."""
    files = []
    for number, (run, name, content) in enumerate(contents):
        source = path.with_name(f"source-{number}")
        source.write_bytes(content)
        files.append(File(run, name, source))
    with path.open("wb") as out:
        archive.write(out, files)
    return path


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([(NAME, RECORD, b"{")], "Expecting property name"),
        ([(NAME, RECORD, b'{"schema": 9}')], "schema 9, this raykit reads 1"),
        ([(NAME, LOG, b"alone")], "holds no record of that name"),
        ([(NAME, "experiment.json", b"{}")], "schema None"),
        ([], None),
    ],
)
def test_an_archive_without_readable_records_is_refused(there, file, contents, reason):
    code, _, err = there.raykit("runs", "import", forged(file, *contents))
    assert code == (7 if reason else 0)
    assert (reason or "") in err
    assert there.names() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"arms": {"one": 1}},
        {"arms": {"one": {"p": "2", "tasks": None}}},
        {"made": [{"arm": "one", "purpose": "measured", "round": 1, "run": ["x"]}]},
        {"made": [{"arm": "one", "purpose": "measured", "round": 1, "run": "../x"}]},
        {"job": {"name": 3, "arguments": []}},
        {"started": "now"},
    ],
)
def test_an_experiment_that_no_raykit_writes_so_is_refused(here, there, file, wrong):
    experiment(here.runs, "bench-1")
    path = here.runs.folder("bench-1") / "experiment.json"
    content = json.dumps(json.loads(path.read_text()) | wrong).encode()
    code, _, err = there.raykit("runs", "import", forged(file, ("bench-1", path.name, content)))
    assert (code, "bench-1" in err) == (7, True)
    assert there.names() == []


def test_a_file_that_cannot_be_read_is_named_and_not_the_archive(here, file, monkeypatch):
    here.add(NAME)
    opened = Path.open

    def refuse(path, *words, **options):
        if path.name == LOG and words == ("rb",):
            raise PermissionError(13, "Permission denied")
        return opened(path, *words, **options)

    monkeypatch.setattr(Path, "open", refuse)
    code, _, err = here.raykit("runs", "export", NAME, "--output-file", file)
    assert code == 7
    assert f"{LOG} of {NAME} cannot be read: Permission denied" in err
    assert not file.exists()


def test_a_record_under_another_name_is_refused(here, there, file):
    here.add(NAME)
    content = (here.runs.folder(NAME) / RECORD).read_bytes()
    code, _, err = there.raykit("runs", "import", forged(file, ("other", RECORD, content)))
    assert (code, "holds no record of that name" in err) == (7, True)
    assert there.names() == []


def test_an_archive_cut_short_leaves_nothing(here, there, file):
    here.add(NAME, log=bytes(range(256)) * 100)
    here.raykit("runs", "export", NAME, "--output-file", file)
    file.write_bytes(file.read_bytes()[:-9])
    code, _, err = there.raykit("runs", "import", file)
    assert code == 7
    assert "is no archive of runs that can be imported" in err
    assert there.names() == []


def test_what_an_import_that_was_killed_left_is_swept(here, there, file):
    here.add(NAME)
    here.raykit("runs", "export", NAME, "--output-file", file)
    (there.runs.path / ".importing" / "half").mkdir(parents=True)
    assert there.raykit("runs")[1] == "no runs yet; raykit submit fib makes the first\n"
    assert there.raykit("runs", "import", file)[0] == 0
    assert there.names() == [NAME]


@pytest.mark.parametrize("words", [("no-such-file",), ("/",), ("/dev/null",)])
def test_what_is_no_archive_is_refused(there, words):
    code, _, err = there.raykit("runs", "import", *words)
    assert (code, "next: raykit runs" in err) == (7, True)


def test_an_archive_goes_through_a_pipe(here, there, cli):
    here.add(NAME)
    line = "raykit runs export last | RAYKIT_RUNS=$THERE raykit runs import -"
    env = cli.env | {"RAYKIT_RUNS": str(here.runs.path), "THERE": str(there.runs.path)}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{NAME}\nimported 1\n"), done.stderr
    assert there.content(NAME)[LOG] == b"said\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which runs?"),
        (("last", "--all"), "--all and names"),
        (("last", "-o", "json"), "cannot share stdout"),
    ],
)
def test_an_export_of_nothing_or_onto_json_is_refused(here, words, said):
    here.add(NAME)
    code, out, err = here.raykit("runs", "export", *words)
    assert (code, said in (err or out)) == (2, True)


@pytest.mark.parametrize("word", ["last/../last", "../here", "", ".", "x" * 300])
def test_a_word_that_names_no_run_is_no_path(here, word):
    here.add(NAME)
    code, _, err = here.raykit("runs", "export", word)
    assert (code, "there is no run" in err) == (7, True)


def test_a_terminal_gets_no_archive(here, monkeypatch):
    here.add(NAME)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = here.raykit("runs", "export", NAME)
    assert (code, out) == (2, "")
    assert "an archive is nothing for a terminal" in err


def test_a_run_that_is_missing_ends_the_export_and_leaves_no_file(here, file):
    here.add(NAME)
    experiment(here.runs, "mine", NAME, "20260102-000000-fib-gone")
    code, _, err = here.raykit("runs", "export", "mine", "--output-file", file)
    assert (code, "there is no run 20260102-000000-fib-gone" in err) == (7, True)
    assert list(file.parent.glob("*tar*")) == []


def test_an_export_replaces_the_file_that_is_named_and_only_when_whole(here, file):
    here.add(NAME)
    file.write_bytes(b"before")
    assert here.raykit("runs", "export", "nope", "--output-file", file)[0] == 7
    assert file.read_bytes() == b"before"
    assert here.raykit("runs", "export", NAME, "--output-file", file)[0] == 0
    assert file.read_bytes() != b"before"


def test_a_folder_that_cannot_be_written_is_named(here, tmp_path):
    here.add(NAME)
    code, _, err = here.raykit("runs", "export", NAME, "--output-file", tmp_path / "no" / "x.tgz")
    assert (code, "could not be written" in err) == (7, True)


@pytest.mark.parametrize("command", ["attach", "stop"])
def test_a_token_never_goes_where_an_archive_points(here, there, file, ray, command, monkeypatch):
    target = {"kind": "url", "url": ray.url, "chosen": "there"}
    here.add(NAME, target=target, status="UNFINISHED", ended=None)
    here.raykit("runs", "export", NAME, "--output-file", file)
    there.raykit("runs", "import", file)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-secret-of-mine")
    code, _, err = there.raykit(command, "last")
    assert code == 2
    assert f"the run {NAME} was imported" in err
    assert ray.requests == []


def test_a_pipe_is_written_into_and_not_replaced(here, tmp_path):
    here.add(NAME)
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    code, _, err = here.raykit("runs", "export", "last", "--output-file", pipe)
    reader.join(240)
    assert (code, err) == (0, "")
    assert pipe.is_fifo()
    assert next(archive.read(io.BytesIO(got[0]))).name == "record.json"
