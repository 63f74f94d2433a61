"""How jobs end on a real head, and what of it the exit code, the JSON and the record say."""

import json
import os
import resource
import subprocess
import tarfile

import pytest

from raykit.local.folders import RAY_FOLDER

pytestmark = pytest.mark.local
PYTHON = ("submit", "--entrypoint", "--", "python", "-c")
KEYS = ["schema", "command", "data", "error"]


def test_a_job_that_failed_ends_with_20_and_its_own_status_in_the_json(on_head):
    words = [*PYTHON, "print('why it failed'); raise SystemExit(3)"]
    done = on_head("submit", "-o", "json", *words[1:])
    assert done.code == 20
    assert list(done.envelope) == KEYS
    assert done.envelope["data"] == done.record
    assert done.record["driver_exit_code"] == 3
    assert (done.record["status"], done.record["exit_code"]) == ("FAILED", 20)
    error = done.envelope["error"]
    assert (error["kind"], error["exit_code"]) == ("JobFailedError", 20)
    assert error["evidence"][-1] == "why it failed"
    assert "why it failed\n" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--size", "0"), 2, "argument --size: '0' is not a whole number from 1 to 1,000,000,000"),
        (("--size", "many"), 2, "argument --size: 'many' is not a whole number"),
        (("--size", "900000000"), 20, "--size 900,000,000 would not fit"),
    ],
)
def test_what_the_job_refuses_is_wrong_usage_or_a_failure_in_its_own_words(
    on_head, arguments, code, said
):
    done = on_head("submit", "fib", "--", *arguments)
    assert done.code == code
    assert said in done.out + done.err


def test_a_job_that_began_and_gave_no_result_ends_with_9(on_head):
    line = json.dumps({"raykit": 1, "event": "start", "job": "demo"})
    done = on_head(*PYTHON, f"print({line!r})")
    assert (done.code, done.record["status"]) == (9, "SUCCEEDED")
    assert "error: the job started and SUCCEEDED, but never gave a result" in done.err


def test_a_data_error_is_9_whatever_the_jobs_status(on_head):
    line = json.dumps(
        {
            "raykit": 1,
            "event": "error",
            "cause": "data",
            "message": "1980.tar.gz is cut short",
            "evidence": ["at byte 17"],
        }
    )
    done = on_head(*PYTHON, f"print({line!r}); raise SystemExit(5)")
    assert (done.code, done.record["status"]) == (9, "FAILED")
    assert "error: 1980.tar.gz is cut short\n  at byte 17\n" in done.err


def test_gsod_without_the_archives_of_the_years_ends_with_9_and_no_number(on_head, tmp_path):
    (tmp_path / "1981.tar.gz").write_bytes(b"not gzip")
    done = on_head("submit", "gsod", "--", "--data", tmp_path, "--years", "1981", "1982")
    assert done.code == 9
    assert "1981" in done.err
    assert "count" not in done.out


@pytest.mark.usefixtures("waits_for_the_stop")
def test_a_job_that_others_stop_ends_with_21(on_head, soon):
    child = on_head.start(*PYTHON, "import time; print('up', flush=True); time.sleep(600)")
    # Ray's own lines, which come first, hold the word too.
    soon(lambda: any(b"\nup\n" in p.read_bytes() for p in on_head.runs.glob("*/driver.log")))
    stopped = on_head("stop", "last", "-o", "json")
    assert (stopped.code, stopped.envelope["command"]) == (0, "stop")
    out, err = child.communicate(timeout=240)
    assert child.returncode == 21, err
    assert out == b"up\n"
    assert stopped.record["status"] == "STOPPED"


@pytest.mark.usefixtures("gathers_all")
def test_a_token_that_a_job_prints_is_redacted_everywhere(on_head, head):
    code = "import os; print(dict(os.environ)); print(1, os.environ['RAY_AUTH_TOKEN'])"
    for ending in ("", "; raise SystemExit(1)"):
        done = on_head("submit", "-o", "json", *PYTHON[1:], code + ending)
        assert done.code == (20 if ending else 0)
        assert "1 [redacted]\n" in done.err
        assert head.token not in done.out + done.err
    files = [path for path in on_head.runs.rglob("*") if path.is_file()]
    (evidence,) = [path for path in files if path.suffixes[-2:] == [".tar", ".gz"]]
    with tarfile.open(evidence) as archive:
        parts = [archive.extractfile(each).read() for each in archive if each.isfile()]
    written = [*parts, *(path.read_bytes() for path in files)]
    assert len(files) == 7
    assert any(b"[redacted]" in content for content in parts)
    assert not any(head.token.encode() in content for content in written)


def test_a_log_of_any_bytes_is_saved_as_it_is_on_the_head(on_head, head):
    code = r"import os; os.write(1, b'\xff\xfe 50 %\r100 %\r\n\x00\x80 no end')"
    child = on_head.start(*PYTHON, code)
    out, _ = child.communicate(timeout=240)
    assert child.returncode == 0
    assert out == b"\xff\xfe 50 %\r100 %\r\n\x00\x80 no end"
    (path,) = on_head.runs.glob("*/driver.log")
    (theirs,) = head.folder.glob(f"{RAY_FOLDER}/session_2*/logs/job-driver-{path.parent.name}.log")
    assert path.read_bytes() == theirs.read_bytes()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system to fill")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


CHATTY = "for i in range(40_000): print(f'{i:>60}')\nprint('the end')"


def test_a_disk_that_fills_is_said_the_job_followed_to_its_end_and_then_7(on_head, small_disk):
    on_head.runs = small_disk
    done = on_head(*PYTHON, CHATTY, env={"RAYKIT_RUNS": str(small_disk)})
    assert done.code == 7
    assert len(done.out.splitlines()) == 40_001
    assert done.out.endswith("the end\n")
    assert "No space left on device" in done.err
    assert str(small_disk) in done.err.splitlines()[-3]
    assert "Traceback" not in done.err


def test_a_file_that_may_not_grow_is_treated_like_a_full_disk(on_head):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = on_head(*PYTHON, CHATTY, preexec_fn=limit)
    assert done.code == 7
    assert done.out.endswith("the end\n")
    assert f"error: {done.folder / 'driver.log'} could not be written" in done.err
    assert (done.record["status"], done.record["exit_code"]) == ("SUCCEEDED", 7)


def test_json_of_a_run_that_went_well_is_one_envelope_and_the_jobs_words_go_to_stderr(on_head):
    done = on_head("submit", "-o", "json", *PYTHON[1:], "print('from the job')")
    assert (done.code, list(done.envelope)) == (0, KEYS)
    assert (done.envelope["command"], done.envelope["error"]) == ("submit", None)
    assert done.envelope["data"] == done.record
    assert "from the job\n" in done.err
    listed = on_head("ps", "-o", "json")
    assert (listed.code, list(listed.envelope)) == (0, KEYS)
    assert done.record["id"] in {job["submission_id"] for job in listed.envelope["data"]}


def test_a_wrong_token_and_none_are_refused_with_6(on_head, tmp_path):
    wrong = on_head("submit", "fib", env={"RAY_AUTH_TOKEN": "0" * 64})
    assert wrong.code == 6
    assert "error: the Ray head does not accept the token" in wrong.err
    none = on_head("submit", "fib", env={"RAY_AUTH_TOKEN": ""})
    assert none.code == 6
    assert "error: the Ray head wants a token and got none" in none.err
