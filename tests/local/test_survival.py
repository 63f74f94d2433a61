"""A task survives its Ray node: the answer is right, the loss is in the record and the verdict."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.local

# The run may be over before Ray calls the silent node dead, some 20 s later: the lost task says so.
FIB = ("--size", "350000", "--tasks", "4", "--repeat", "1", "--mode", "tasks")
TASK = "ray::fib"
"""How the name of a worker begins while it runs one of these tasks."""


def test_fib_survives_a_ray_node_that_is_killed(cli, warm, processes, soon):
    head = warm("two", 2)
    child = cli.start("submit", "fib", "--on", "two", "--", *FIB)
    soon(lambda: is_warm(cli.runs))
    # Held, the task cannot end before Ray's processes of its node do.
    raylet, worker = soon(lambda: held_task(processes(head["folder"])))
    for pid in (raylet, worker):
        os.kill(pid, signal.SIGKILL)
    out, err = (stream.decode() for stream in child.communicate(timeout=240))
    assert child.returncode == 0, err
    run = cli("runs", "show", "last", "-o", "json").envelope["data"]
    assert run["status"] == "SUCCEEDED"
    assert run["results"], out
    assert run["tasks"]["retried"] >= 1
    assert [end["lost"] for end in run["tasks"]["ended"].values()] == [True]
    said = " ".join(err.split())
    assert "A Ray node was lost while the job ran" in said
    assert "tried again" in said
    assert "doubt: DISTURBED" in said


def is_warm(runs):
    """Whether the tasks of the warm-up are done, which end before their loss is noticed."""
    return any(b'"warm-up"' in path.read_bytes() for path in runs.glob("*/events.jsonl"))


def held_task(running):
    """The raylet of the node beside the head and its worker, which is stopped within a task."""
    raylets = [pid for pid, words in running if is_raylet(words) and "--head" not in words.split()]
    tasks = [pid for pid, words in running if words.startswith(TASK)]
    for task in tasks:
        raylet = parent(task)
        if raylet in raylets:
            # A worker that is idle by now may end.
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.kill(task, signal.SIGSTOP)
                if title(task).startswith(TASK):
                    return raylet, task
                os.kill(task, signal.SIGCONT)
    return None


def is_raylet(words):
    return words.split()[:1] and words.split()[0].endswith("/raylet")


def title(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
