"""The program of the submitter's pod, run as the pod runs it, against a small head."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raykit.kuberay.rayjobs import submitter
from raykit.testing import FakeJob

TEXT = Path(submitter.__file__).read_text("utf-8")
PAYLOAD = {
    "entrypoint": "python -c 'print(\"$HOME\")'",
    "submission_id": "job-1",
    "runtime_env": {"env_vars": {"A": "`date` $(id) ünï"}},
    "metadata": {"raykit-payload": "hash"},
}


@pytest.fixture
def run(ray):
    """Runs the program on the fake head; its exit code and what it printed."""

    def run(word="submit", packages=(), seconds=60.0, **variables):
        work = {"payload": PAYLOAD, "packages": list(packages), "package_seconds": seconds}
        done = subprocess.run(
            [sys.executable, "-c", TEXT, word],
            env={
                "PATH": os.environ["PATH"],
                "RAY_DASHBOARD_ADDRESS": ray.url.removeprefix("http://").rstrip("/"),
                submitter.WORK: json.dumps(work),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def bodies(ray, monkeypatch):
    """The bodies of submissions, as the head got them."""
    seen = []
    handler = ray.server.RequestHandlerClass
    original = handler._submit
    monkeypatch.setattr(
        handler, "_submit", lambda self: (seen.append(json.loads(self.body)), original(self))
    )
    return seen


def posts(ray):
    return [path for method, path, _ in ray.requests if (method, path) == ("POST", "/api/jobs/")]


def test_the_head_gets_what_raykit_itself_would_send(ray, run, bodies):
    code, said = run()
    assert code == 0, said
    assert bodies == [PAYLOAD]
    assert said.splitlines()[0].startswith("Job submission server address: http://127.0.0.1:")


def test_it_needs_nothing_that_an_old_python_or_a_bare_image_lacks():
    imports = {line.split()[1] for line in TEXT.splitlines() if line.startswith("import ")}
    assert imports <= {"json", "os", "sys", "time", "urllib.error", "urllib.request"}
    assert "from raykit" not in TEXT


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"nonsense\r\n"]
)
def test_an_answer_that_is_cut_is_none(monkeypatch, answer):
    """http.client's errors are no OSError: a cut reply ended the program while the job ran."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=reply, daemon=True).start()
        monkeypatch.setenv("RAY_DASHBOARD_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(OSError):
            submitter.ask("GET", "api/jobs/x")


@pytest.mark.parametrize("text", ["<html>", "[1]", "null", ""])
def test_an_answer_that_is_no_object_has_no_fields(text):
    assert submitter.fields(text) == {}


@pytest.mark.parametrize("where", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"])
def test_rays_token_is_sent_from_where_kuberay_puts_it(ray, run, tmp_path, where):
    ray.token = "of-the-cluster"
    path = tmp_path / "token"
    path.write_text(f"{ray.token}\n")
    value = ray.token if where == "RAY_AUTH_TOKEN" else str(path)
    assert run(**{where: value})[0] == 0
    assert run() == (1, run()[1])


def test_it_submits_only_once_the_head_has_the_packages(ray, run):
    code, said = run(packages=["_ray_pkg_1.zip"], seconds=0.5)
    assert code == 1
    assert "_ray_pkg_1.zip was not uploaded within 0.5 s" in said
    assert posts(ray) == []
    ray.packages["_ray_pkg_1.zip"] = b"x"
    assert run(packages=["_ray_pkg_1.zip"])[0] == 0
    assert len(posts(ray)) == 1


def test_a_lost_reply_is_asked_after_and_never_sent_again(ray, run):
    ray.drop = {"/api/jobs/"}
    code, said = run()
    assert code == 1
    assert "is not submitted a second time" in said
    assert len(posts(ray)) == 1


def test_a_job_whose_submission_got_no_reply_goes_on(ray, run, bodies, monkeypatch):
    ray.jobs["job-1"] = FakeJob("job-1")
    handler = ray.server.RequestHandlerClass

    def vanish(self):
        ray.jobs["job-1"].metadata = PAYLOAD["metadata"]
        self.close_connection = True

    monkeypatch.setattr(handler, "_submit", vanish)
    code, said = run()
    assert code == 0, said
    assert len(posts(ray)) == 1


@pytest.mark.parametrize(("metadata", "code"), [(PAYLOAD["metadata"], 0), ({"other": "job"}, 1)])
def test_a_job_of_that_id_is_ours_only_with_our_metadata(ray, run, metadata, code):
    ray.jobs["job-1"] = FakeJob("job-1", metadata=metadata)
    ray.keeps_metadata = True
    ray.refuse = {}
    handler = ray.server.RequestHandlerClass
    original = handler._submit
    handler._submit = lambda self: self._say(500, "Job with submission_id job-1 already exists.")
    try:
        assert run()[0] == code
    finally:
        handler._submit = original


def test_a_refusal_is_printed_for_whoever_reads_the_pods_log(ray, run):
    ray.refuse = {"/api/jobs/": (400, "no such field")}
    code, said = run()
    assert (code, "the head refused the job: HTTP 400: no such field" in said) == (1, True)


def test_a_job_that_does_not_stop_at_once_is_asked_again(ray, run):
    """Ray says so of a PENDING job, which then starts after all."""
    job = ray.jobs["job-1"] = FakeJob("job-1", status="PENDING", stops=False)

    def may_stop():
        job.status, job.stops = "RUNNING", True

    job.steps = [may_stop]
    code, _ = run("stop")
    assert (code, job.status) == (0, "STOPPED")
    assert ray.asked("/api/jobs/job-1/stop") == 3


def test_the_deadline_stops_the_job(ray, run):
    job = ray.jobs["job-1"] = FakeJob("job-1")
    code, said = run("stop")
    assert (code, job.status) == (0, "STOPPED")
    assert "the deadline is over: stopping job-1" in said
