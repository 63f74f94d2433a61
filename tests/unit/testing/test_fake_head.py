"""The fake head that ships for users: it runs jobs as Ray does, or what a test prepared."""

import os
import signal
import subprocess
import sys

import httpx2
import pytest

from raykit import attach, submit
from raykit.errors import ConflictError
from raykit.testing import FakeHead

pytest_plugins = ["raykit.testing.plugin"]
AUTH = "Authorization"


@pytest.fixture
def script(tmp_path):
    """Writes a job into a folder of its own and returns its path."""

    def write(text, name="job.py"):
        path = tmp_path / "job" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def log_of(run, tmp_path):
    return (tmp_path / "runs" / run.record.id / "driver.log").read_bytes()


def test_a_submission_runs_in_its_unpacked_folder(fake_head, script, tmp_path):
    script("HERE = 'beside'", "beside.py")
    path = script("import beside, os, sys\nprint(beside.HERE, os.environ['A'], *sys.argv[1:])")
    run = submit(path, ["x y", "$Z"], env={"A": "b"})
    assert (run.exit_code, run.record.status, run.record.driver_exit_code) == (0, "SUCCEEDED", 0)
    assert log_of(run, tmp_path) == b"beside b x y $Z\n"


def test_a_job_of_the_kit_runs_too(fake_head):
    run = submit("gsod", ["--method", "local"])
    assert run.exit_code == 0, run.error
    assert run.record.results[0]["data"]["sample"] is True


def test_a_command_that_fails_gives_its_exit_code_and_the_end_of_its_log(fake_head, tmp_path):
    run = submit(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (run.exit_code, run.record.driver_exit_code) == (20, 7)
    assert log_of(run, tmp_path) == b"out\nerr\n"
    assert "failed with exit code 7" in run.record.message
    assert run.record.message.endswith("out\nerr\n")


def test_a_job_that_is_stopped_ends_with_all_that_it_started(fake_head, tmp_path, soon):
    run = submit(["sh", "-c", "sleep 100 & echo $!; wait"], timeout=0.5, id="sleeper")
    assert run.exit_code == 22
    soon(lambda: fake_head.jobs["sleeper"].log)
    assert fake_head.api(headers={AUTH: f"Bearer {fake_head.token}"}).stop("sleeper")
    assert attach("sleeper").exit_code == 21
    child = int(fake_head.jobs["sleeper"].log)
    soon(lambda: not is_alive(child))


@pytest.mark.parametrize("detached", ["", "setsid "])
def test_a_job_ends_with_its_command_though_a_child_holds_its_output_open(
    fake_head, tmp_path, soon, detached
):
    # A child that has not left its parent's group yet ends with it.
    runs = tmp_path / "child-runs"
    child = f"{detached}sh -c 'echo $$; touch {runs}; exec sleep 300'"
    run = submit(
        ["sh", "-c", f"{child} & until [ -e {runs} ]; do sleep 0.1; done; exit 7"], timeout=240
    )
    child = int(log_of(run, tmp_path))
    assert run.record.driver_exit_code == 7
    if detached:
        os.kill(child, signal.SIGKILL)
    soon(lambda: not is_alive(child))


def is_alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_the_head_takes_its_jobs_with_it(soon):
    with FakeHead("secret", runs_jobs=True) as head:
        run = submit(
            ["sh", "-c", "echo $$; exec sleep 100"],
            on=head.url,
            headers={AUTH: "Bearer secret"},
            follow=False,
        )
        job = soon(lambda: head.jobs.get(run.record.submission_id))
        soon(lambda: job.log)
    soon(lambda: not is_alive(int(job.log)))


def test_a_job_that_a_test_prepared_is_not_run(fake_head, tmp_path):
    fake_head.next_job(log=b"\xff no text\n", exit_code=3)
    run = submit(["touch", str(tmp_path / "ran")])
    assert (run.exit_code, run.record.driver_exit_code) == (20, 3)
    assert log_of(run, tmp_path) == b"\xff no text\n"
    assert not (tmp_path / "ran").exists()
    assert submit(["touch", str(tmp_path / "ran")]).exit_code == 0
    assert (tmp_path / "ran").exists()


def test_a_prepared_job_may_go_on_running(fake_head):
    job = fake_head.next_job(log=b"begun\n", exit_code=None)
    assert submit(["true"], timeout=0.2).exit_code == 22
    fake_head.writes(job, b"done\n")()
    job.end(0)
    assert attach("last").exit_code == 0


def test_connections_that_break_lose_nothing(fake_head, tmp_path):
    fake_head.cuts = [10, 1, 500, 7000]
    run = submit([sys.executable, "-c", "for n in range(3000): print(n)"])
    assert run.exit_code == 0
    assert log_of(run, tmp_path) == b"".join(b"%d\n" % n for n in range(3000))


def test_what_the_fake_head_does_not_follow_fails_by_name(fake_head):
    run = submit(["true"], pip=["emoji"])
    assert (run.exit_code, run.record.error_type) == (20, "RUNTIME_ENV_SETUP_FAILURE")
    assert "does not know pip" in run.record.message


def test_an_id_is_taken_once(fake_head):
    assert submit(["true"], id="one").exit_code == 0
    run = submit(["false"], id="one")
    assert isinstance(run.error, ConflictError)
    assert list(fake_head.jobs) == ["one"]


def test_nobody_without_the_token_has_a_command_run(fake_head):
    body = {"entrypoint": "true", "submission_id": "stolen"}
    for headers, status in (({}, 401), ({AUTH: "Bearer guess"}, 403)):
        answer = httpx2.post(f"{fake_head.url}api/jobs/", json=body, headers=headers)
        assert answer.status_code == status
    assert fake_head.jobs == {}
    with pytest.raises(ValueError, match="needs a token"):
        FakeHead(runs_jobs=True)


def test_the_command_line_finds_the_head_too(fake_head, cli):
    env = {"RAYKIT_ON": fake_head.url, "RAY_AUTH_TOKEN": fake_head.token}
    done = cli("submit", "--entrypoint", "--", "echo", "hello", env=env)
    assert done.code == 0, done.err
    assert "hello" in done.out


def test_the_fake_head_needs_no_pytest():
    code = "import sys, raykit.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
