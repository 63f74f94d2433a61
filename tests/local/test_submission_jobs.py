"""Submitting on a real head: words, environments, folders, endings, and tending what runs."""

import contextlib
import json
import os
import re
import socket
import sys
import textwrap
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from raykit.local import folders

pytestmark = pytest.mark.local
LOG_OF_POSTS = "session_latest/logs/dashboard_JobHead.log"
SOAK = bool(os.environ.get("RAYKIT_SOAK"))

AWKWARD = [
    "plain",
    "",
    " ",
    "two words",
    "  edges  ",
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "single ' quote",
    'double " quote',
    "both ' and \"",
    "back\\slash",
    "trailing\\",
    "$HOME",
    "${PATH}",
    "$(date)",
    "`date`",
    "*",
    "?.py",
    "~",
    "a;b",
    "a && b || c",
    "a | b > c < d",
    "#comment",
    "!history",
    "{a,b}",
    "%s %d %%",
    "-x",
    "--help",
    "--on",
    "=",
    "K=V",
    "ünïcödé 漢字 🎉",
    "\u202eright to left",
    '{"json": [1, null]}',
    "--",
]

START = '{"raykit": 1, "event": "start", "job": "mine", "time": 1.0}'
RESULT = '{"raykit": 1, "event": "result", "time": 2.0, "data": {}}'


@pytest.fixture
def script(cli):
    """`script(name, text)`: a file in the folder from which raykit is called."""

    def write(name, text):
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
        return path

    return write


def command(*words):
    return ["--entrypoint", "--", *words]


def python(text, *words):
    return command("python", "-c", text, *words)


@pytest.mark.parametrize("way", ["entrypoint", "script"])
def test_awkward_words_arrive_unchanged(on_head, script, way):
    show = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"
    if way == "script":
        script("job/show.py", show)
        done = on_head("submit", "job/show.py", "--", *AWKWARD)
    else:
        done = on_head("submit", *python(show, *AWKWARD))
    assert (done.code, json.loads(done.out)) == (0, AWKWARD)
    assert done.record["job"]["arguments"][-len(AWKWARD) :] == AWKWARD


@pytest.mark.parametrize(
    ("words", "said", "cause", "status"),
    [
        (["sh", "-c", "exit 3"], "FAILED with exit status 3", "driver", 3),
        (["no-such-command-here"], "its command was not found (exit status 127)", None, 127),
        (["sleep 8; echo done"], "its command was not found (exit status 127)", None, 127),
        (["sh", "-c", "kill -9 $$"], "killed, most likely out of memory", "out-of-memory", None),
        (["sh", "-c", "kill -15 $$"], "signal 15", "signal", None),
    ],
)
def test_a_job_that_fails_is_told_with_its_end(on_head, words, said, cause, status):
    done = on_head("submit", *command(*words))
    assert done.code == 20
    assert said in done.err
    assert done.record["cause"] == (cause or "command-not-found")
    assert done.record["error_type"] == "JOB_ENTRYPOINT_COMMAND_ERROR"
    if status is not None:
        assert done.record["driver_exit_code"] == status


def test_the_last_lines_of_a_failing_job_are_in_the_json(on_head):
    done = on_head("submit", "-o", "json", *python("print('so far'); raise ValueError('no')"))
    error = done.envelope["error"]
    assert (done.code, error["exit_code"], error["evidence"][-1]) == (20, 20, "ValueError: no")
    assert done.envelope["data"]["driver_exit_code"] == 1


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([START], 9),
        (['{"raykit":1,"event":"error","time":1.0,"cause":"data","message":"cut short"}'], 9),
        (
            ['{"raykit":1,"event":"start","time":1.0}', '{"raykit":1,"event":"result","time":2.0}'],
            0,
        ),
    ],
)
def test_a_start_without_a_result_and_bad_data_are_9(on_head, events, code):
    assert on_head("submit", *python(f"print({chr(10).join(events)!r})")).code == code


@pytest.mark.usefixtures("waits_for_tasks")
def test_a_job_that_never_heard_of_timing_gets_a_full_record_and_its_tasks(on_head, script):
    script(
        "own/job.py",
        """
        import ray, time
        from beside import square
        ray.init(log_to_driver=False, logging_level="warning")
        work = ray.remote(square)
        print(sum(ray.get([work.remote(n) for n in range(6)])))
        """,
    )
    script(
        "own/beside.py", "import time\n\ndef square(n):\n    time.sleep(0.2)\n    return n * n\n"
    )
    done = on_head("submit", "own/job.py")
    record = done.record
    assert (done.code, done.out) == (0, "55\n")
    assert {"upload", "submit", "driver-start", "first-task", "run"} <= {
        phase["name"] for phase in record["phases"]
    }
    said = " ".join(done.err.split())
    assert "6 tasks" in said or "of 2 task CPUs" in said


def test_the_same_content_is_sent_once(on_head, head, script):
    script("sent/job.py", f"print({time.time()!r})")
    sent = []
    for _ in range(2):
        before = _uploads(head)
        assert on_head("submit", "sent/job.py").code == 0
        sent.append(_uploads(head) - before)
    assert sent == [1, 0]


def _uploads(head):
    """Packages that the head was asked to store, from its own log."""
    log = (head.folder / folders.RAY_FOLDER / LOG_OF_POSTS).read_text("utf-8", "replace")
    return log.count("Uploading package gcs://")


def test_a_folder_too_big_is_refused_with_its_ten_largest_before_anything_is_sent(on_head, head):
    folder = on_head.cwd / "big"
    folder.mkdir()
    (folder / "job.py").write_text("")
    for number in range(12):
        (folder / f"data-{number:02}").write_bytes(os.urandom((number + 4) << 20))
    before = _uploads(head)
    done = on_head("submit", "big/job.py")
    assert done.code == 2
    assert "over 100 MiB packed" in done.err
    shown = [line.split()[-1] for line in done.err.splitlines() if " MiB  " in line]
    assert shown == [f"data-{number:02}" for number in range(11, 1, -1)]
    assert _uploads(head) == before
    (folder / ".rayignore").write_text("data-*\n")
    assert on_head("submit", "big/job.py").code == 0


def test_a_folder_that_cannot_be_packed_names_every_reason(on_head):
    folder = on_head.cwd / "odd"
    (folder / "inside").mkdir(parents=True)
    (folder / "job.py").write_text("")
    (folder / "inside/loop").symlink_to(folder, target_is_directory=True)
    (folder / "broken").symlink_to(folder / "nowhere")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        before = os.getcwd()  # noqa: PTH109
        os.chdir(folder)
        try:
            server.bind("socket")
        finally:
            os.chdir(before)
        done = on_head("submit", "odd/job.py")
    assert done.code == 2
    assert "inside/loop: a link to a folder above it" in done.err
    assert "broken: No such file or directory" in done.err
    assert "socket: neither a file nor a folder" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workng_dir: .", "workng_dir: unknown, did you mean working_dir?"),
        ("env_vars: {DEBUG: 1}", "env_vars.DEBUG: must be text: quote it"),
        ("pip: [a]\nconda: b", "conda: only one of pip, uv, conda"),
        ("- a\n- b", "is not a mapping"),
    ],
)
def test_a_wrong_runtime_environment_is_refused(on_head, script, text, said):
    done = on_head("submit", "--runtime-env", script("env.yaml", text), *command("true"))
    assert (done.code, said in done.err) == (2, True)
    assert list(on_head.runs.glob("*/record.json")) == []


def test_variables_come_from_options_and_files(on_head, script):
    script("vars", "# ours\nA=from file\n\nB=from file\n")
    show = "import os; print(os.environ['A'], os.environ['B'], os.environ['C'], sep='|')"
    done = on_head(
        "submit", "--env-file", "vars", "--env", "B=given", "--env", "C=x=y", *python(show)
    )
    assert done.out == "from file|given|x=y\n"


def test_folders_that_a_runtime_environment_names_are_packed_and_importable(on_head, script):
    script("libraries/mine/__init__.py", "from mine.deep import word\n")
    script("libraries/mine/deep.py", "word = 'from a module'\n")
    script("work/beside.txt", "from the folder")
    script("env.yaml", "py_modules: [libraries/mine]\nworking_dir: work\n")
    text = "import mine, pathlib; print(mine.word, pathlib.Path('beside.txt').read_text(), sep='|')"
    done = on_head("submit", "--runtime-env", "env.yaml", *python(text))
    assert (done.code, done.out) == (0, "from a module|from the folder\n")


@pytest.mark.skipif(not SOAK, reason="takes over a minute: make soak")
def test_a_pip_environment_that_cannot_be_built_is_told_as_such(on_head):
    done = on_head("submit", "--pip", "no-such-package-of-raykit==1", *command("true"))
    assert (done.code, done.record["cause"]) == (20, "runtime-env")
    assert "its runtime environment could not be set up" in done.err


def test_one_id_is_one_job_and_another_payload_is_a_conflict(on_head):
    def one(number):
        return on_head("submit", "--id", "only-once", *command("sh", "-c", "echo ran; sleep 1"))

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(8)))
    assert [each.code for each in done] == [0] * 8
    assert {each.out for each in done} == {"ran\n"}
    rows = json.loads(on_head("ps", "-o", "json").out)["data"]
    assert [row["submission_id"] for row in rows].count("only-once") == 1
    other = on_head("submit", "--id", "only-once", *command("true"))
    assert (other.code, "only-once exists already" in other.err) == (8, True)


@pytest.mark.usefixtures("waits_for_the_stop")
def test_a_job_that_runs_too_long_is_left_with_22_and_can_be_stopped(on_head, soon):
    done = on_head("submit", "--id", "long", "--timeout", 2, *command("sleep", "600"))
    assert done.code == 22
    # On a busy machine the job may not have started by then.
    assert re.search(r"the job long (still runs|is still PENDING) after 2 s", done.err)

    def status():
        rows = json.loads(on_head("ps", "-o", "json").out)["data"]
        return [row["status"] for row in rows if row["submission_id"] == "long"]

    soon(lambda: status() == ["RUNNING"])
    stopped = on_head("stop", "long", "-o", "json")
    assert (stopped.code, stopped.envelope["data"]) == (
        0,
        {"submission_id": "long", "status": "STOPPED", "confirmed": True},
    )
    attached = on_head("attach", "long")
    assert (attached.code, attached.record["status"]) == (21, "STOPPED")


def test_a_job_that_is_not_followed_is_found_again(on_head):
    done = on_head("submit", "--id", "alone", "--no-follow", *command("echo", "alone here"))
    assert (done.code, done.out) == (0, "")
    assert on_head("logs", "alone", "-f").out.count("alone here\n") == 1
    assert on_head("logs", "alone").out.count("alone here\n") == 1
    assert on_head("attach", "alone").code == 0
    assert on_head("runs", "show", "alone", "--log").out.count("alone here\n") == 1


def test_a_stop_of_a_job_that_stays_pending_says_what_is_true(on_head):
    many = ["--entrypoint-num-cpus", 999]
    done = on_head("submit", "--id", "waits", "--no-follow", *many, *command("true"))
    assert done.code == 0
    stopped = on_head("stop", "waits", "-o", "json")
    data, error = stopped.envelope["data"], stopped.envelope["error"]
    if data["confirmed"]:
        assert (stopped.code, error) == (0, None)
    else:
        assert (stopped.code, error["exit_code"], data["status"]) == (6, 6, "PENDING")
        assert error["what"] == "Ray says that it stopped waits, but it is PENDING"
        rows = json.loads(on_head("ps", "-o", "json").out)["data"]
        assert [row["status"] for row in rows if row["submission_id"] == "waits"] == ["PENDING"]


def test_a_job_that_others_submitted_can_be_listed_read_and_attached(on_head, head):
    body = {"entrypoint": "echo from elsewhere", "submission_id": "theirs"}
    asked = urllib.request.Request(
        f"{head.url}/api/jobs/",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {head.token}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(asked).close()
    done = on_head("attach", "theirs")
    assert (done.code, done.out) == (0, "from elsewhere\n")
    assert done.record["submission_id"] == "theirs"
    assert done.record["id"].endswith(done.folder.name), "raykit makes the id, not the head"
    assert "attached to a job that was submitted elsewhere" in done.record["notes"]
    assert on_head("logs", "theirs").out.count("from elsewhere\n") >= 1
    assert on_head("logs", "thei").out == on_head("logs", "theirs").out
    near = on_head("logs", "thiers")
    assert (near.code, "nearest: theirs" in near.err) == (6, True)


def test_without_the_right_token_the_head_lets_nobody_in(on_head):
    on_head.env.pop("RAY_AUTH_TOKEN")
    missing = on_head("submit", *command("true"))
    assert (missing.code, "wants a token and got none" in missing.err) == (6, True)
    wrong = on_head("submit", *command("true"), env={"RAY_AUTH_TOKEN": "0" * 64})
    assert (wrong.code, "does not accept the token" in wrong.err) == (6, True)


def test_a_token_is_read_from_a_file_and_never_written(on_head, head):
    path = on_head.cwd / "token"
    path.write_text(head.token + "\n")
    on_head.env.pop("RAY_AUTH_TOKEN")
    on_head.env["RAY_AUTH_TOKEN_PATH"] = str(path)
    done = on_head("submit", *command("sh", "-c", "echo token $RAY_AUTH_TOKEN; exit 4"))
    assert (done.code, done.out) == (20, "token [redacted]\n")
    for left in done.runs.rglob("*"):
        assert left.is_dir() or head.token.encode() not in left.read_bytes()


def test_a_large_log_is_followed_in_little_memory(on_head, head):
    """Slow because a small log would not show that memory stays flat."""
    mebibytes = 1024 if SOAK else 50
    write = (
        "import os, sys\nline = b'0123456789abcde' * 4 + b'\\n'\n"
        "for _ in range(int(sys.argv[1]) * 16): os.write(1, line * 1075)\n"
    )
    wrapper = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    words = ["submit", *python(write, mebibytes)]
    on_head.program = [sys.executable, "-c", wrapper, *on_head.program]
    done = on_head(*words)
    code, peak_kib = map(int, done.out.split())
    assert code == 0
    assert done.record["log"]["bytes"] > mebibytes * 1_000_000
    assert done.record["log"]["source"] == "file"
    assert peak_kib < 80 * 1024
