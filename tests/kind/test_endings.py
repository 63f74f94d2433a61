"""The endings of tests/local/test_endings.py once more through a real API server's proxy.

Slow because a cluster must come up; a job that no node can take waits on it for ever, so that it
is a cluster of its own.
"""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import patient

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]
TICKS = ("--entrypoint", "--", "bash", "-c", "echo ticking; exec sleep 600")
PENDING, RUNNING = ("--entrypoint-num-cpus", "100"), ()
STOPS = ("--stop-on-interrupt",)
LIMITS = ("HURRY_SECONDS", "STOP_SECONDS", "LOG_SECONDS")
PATIENT = patient(
    *(f"raykit.flows.session.{limit}" for limit in LIMITS), "raykit.flows.jobs.STOP_SECONDS"
)


def test_every_ending_on_a_cluster_is_said_and_filed(lab, namespace, spec, soon):
    lab.raykit("up", "-f", spec("endings"), "-n", namespace)
    on = ("--on", "endings", "-n", namespace)
    rows = [
        (RUNNING, (), signal.SIGHUP, "UNFINISHED", "goes on"),
        (PENDING, (), signal.SIGTERM, "UNFINISHED", "goes on"),
        (RUNNING, STOPS, signal.SIGINT, "STOPPED", "was stopped and its log saved"),
        (PENDING, STOPS, signal.SIGINT, "UNFINISHED", "was asked to stop and is still PENDING"),
    ]
    submitted = []
    for job, options, number, status, words in rows:
        runs = Path(lab.env["RAYKIT_RUNS"])
        before = set(runs.iterdir()) if runs.exists() else set()
        child = subprocess.Popen(
            [*PATIENT, "submit", *on, *job, *options, *TICKS],
            env=lab.env,
            cwd=lab.env["HOME_OF_TESTS"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        soon(partial(_is_there, runs, before, job))
        os.kill(child.pid, number)
        _, err = child.communicate(timeout=300)
        assert child.returncode == 130, err
        assert words in err
        run = lab.json("runs", "show", "last")
        assert (run["status"], run["exit_code"]) == (status, 130)
        submitted.append(run["submission_id"])
    lab.raykit("submit", *on, "--id", "long", "--no-follow", *TICKS)
    soon(lambda: "ticking" in lab.raykit("logs", "long", *on).stdout.splitlines())
    late = lab.raykit("submit", *on, "--id", "long", "--timeout", "5", *TICKS, code=22).stderr
    assert "still runs after 5 s" in late
    assert lab.json("runs", "show", "last")["status"] == "UNFINISHED"
    assert lab.json("stop", "last", *on, program=PATIENT)["status"] == "STOPPED"
    for streams in (">&-", "2>&-", ">&- 2>&-", "</dev/null >/dev/full 2>&1"):
        line = f"raykit submit {' '.join(on)} --entrypoint {streams} -- seq 3"
        subprocess.run(
            ["bash", "-c", line], env=lab.env, cwd=lab.env["HOME_OF_TESTS"], check=True, timeout=500
        )
        run = lab.json("runs", "show", "last")
        assert (run["status"], run["exit_code"]) == ("SUCCEEDED", 0)
    late = lab.raykit("submit", *on, *PENDING, "--timeout", "2", *TICKS, code=22).stderr
    assert "is still PENDING after 2 s" in late
    assert lab.json("stop", submitted[0], *on, program=PATIENT)["status"] == "STOPPED"


def _is_there(runs, before, job):
    """A PENDING job is there once Ray took it, a RUNNING one once it printed something.

    Its command, which Ray prints, has the word too.
    """
    name, words = ("record.json", b'"submit"') if job else ("driver.log", b"\nticking\n")
    folders = set(runs.glob("*")) - before
    files = [folder / name for folder in folders if (folder / name).exists()]
    return any(words in path.read_bytes() for path in files)
