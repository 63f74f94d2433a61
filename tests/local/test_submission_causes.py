"""What ended a job, told apart on real heads: the head, a node, memory, its environment."""

import os
import signal
import textwrap

import psutil
import pytest

from raykit.local import heads, ray_start
from raykit.progress import Progress

pytestmark = pytest.mark.local
SOAK = bool(os.environ.get("RAYKIT_SOAK"))
GIB = 1 << 30

ELSEWHERE = """
import time, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init(logging_level="warning")
here = ray.get_runtime_context().get_node_id()
there = next(node["NodeID"] for node in ray.nodes() if node["NodeID"] != here)

@ray.remote(scheduling_strategy=On(there, soft=False))
class Waits:
    def ready(self):
        return True
    def wait(self):
        time.sleep(600)

@ray.remote(max_retries=0, scheduling_strategy=On(there, soft=False))
def wait(started):
    started.touch()
    time.sleep(600)
"""

TASK = """
import pathlib, sys
started = pathlib.Path(sys.argv[1])
running = wait.remote(started)
while not started.exists():
    time.sleep(0.1)
print("under way", flush=True)
ray.get(running)
"""

ACTOR = """
actor = Waits.remote()
ray.get(actor.ready.remote())
print("under way", flush=True)
ray.get(actor.wait.remote())
"""

GLUTTON = """
import time, ray
ray.init(logging_level="warning")

@ray.remote(max_retries=0)
def eat():
    eaten = []
    for _ in range(64):
        eaten.append(bytearray(b"x" * (128 << 20)))
        time.sleep(0.1)

ray.get(eat.remote())
"""


def python(text):
    return ("--entrypoint", "--", "python", "-c", text)


def under_way(cli):
    """Logs in which the job has spoken; its command, which Ray prints first, has the words too."""
    logs = cli.runs.glob("*/driver.log")
    return [path for path in logs if b"\nunder way\n" in path.read_bytes()]


def raylets(processes, head):
    """(pid, argument list) of the raylets of a head."""
    return [found for found in processes(head["folder"]) if "/raylet/raylet " in found[1]]


@pytest.mark.parametrize("victim", ["gcs_server", "raylet", "start"])
def test_a_head_that_is_killed_while_a_job_is_followed_is_a_lost_head(
    cli, warm, processes, soon, victim
):
    """Slow because each needs a head of its own to lose."""
    head = warm("lost")
    text = "import time; print('under way', flush=True); time.sleep(600)"
    child = cli.start("submit", "--id", "left", "--on", "lost", *python(text))
    soon(lambda: under_way(cli))
    supervisor = psutil.Process(head["supervisor"])
    (start,) = supervisor.children()
    parts = {process.name(): process for process in start.children()}
    {"start": start, **parts}[victim].kill()
    out, err = (stream.decode() for stream in child.communicate(timeout=240))
    assert (child.returncode, out) == (20, "under way\n")
    assert "the job left FAILED: the head was lost before it said how the driver ended" in err
    assert "submit it again, unless its results are there; the log as far as it was read" in err
    assert "Traceback" not in err
    done = cli("runs", "show", "left", "--log")
    assert "under way" in done.out
    record = done.record
    assert (record["status"], record["cause"], record["exit_code"]) == ("FAILED", "head-lost", 20)
    assert record["log"]["source"] == "partial"
    soon(lambda: not processes(head["folder"]))


@pytest.mark.parametrize("work", [TASK, ACTOR], ids=["task", "actor"])
def test_a_job_whose_work_was_on_a_node_that_died_is_a_lost_node(cli, warm, processes, soon, work):
    """Slow because a second Ray node must stand before it can be lost."""
    head = warm("pair", nodes=2)
    child = cli.start("submit", "--on", "pair", *python(ELSEWHERE + work), cli.cwd / "started")
    soon(lambda: under_way(cli))
    (other,) = [pid for pid, words in raylets(processes, head) if " --head " not in words]
    os.kill(other, signal.SIGKILL)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 20
    assert "FAILED: a Ray node was lost (exit status 1)" in err.decode()
    assert cli("runs", "show", "last").record["cause"] == "node-lost"

    def status():
        (row,) = cli("status", "-o", "json").envelope["data"]["local"]
        return row["state"], row["nodes"]

    soon(lambda: status() == ("ready", 1))


@pytest.fixture
def narrow(monkeypatch):
    """A head that takes 2 GiB more than are in use now for out of memory."""
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 2 * GIB) / memory.total
    environment = ray_start.environment
    monkeypatch.setattr(
        ray_start,
        "environment",
        lambda *words, **named: (
            environment(*words, **named) | {"RAY_memory_usage_threshold": f"{threshold:.4f}"}
        ),
    )
    with heads.head(Progress()) as head:
        yield head


def test_a_task_that_rays_memory_monitor_kills_is_out_of_memory(cli, narrow):
    """Slow because Ray must see real memory run out; a fake would only repeat its words."""
    cli.env["RAY_AUTH_TOKEN"] = narrow.token
    done = cli("submit", "--on", narrow.url, *python(GLUTTON))
    assert done.code == 20
    assert "FAILED: out of memory" in done.err
    assert "more memory for the pods, or fewer tasks at once" in done.err
    assert done.record["cause"] == "out-of-memory"


@pytest.mark.skipif(not SOAK, reason="Ray tries three times, which takes 40 s: make soak")
def test_a_package_that_cannot_be_built_is_told_as_a_runtime_environment(on_head):
    """A folder whose setup fails: pip needs no network to find that out."""
    folder = on_head.cwd / "broken"
    folder.mkdir()
    setup = """
        [build-system]
        requires = []
        build-backend = "backend"
        backend-path = ["."]
        """
    (folder / "pyproject.toml").write_text(textwrap.dedent(setup))
    (folder / "backend.py").write_text("raise RuntimeError('this backend builds nothing')\n")
    done = on_head("submit", "--pip", folder, "--entrypoint", "--", "true", timeout=500)
    assert (done.code, done.record["cause"]) == (20, "runtime-env")
    assert done.record["error_type"] == "RUNTIME_ENV_SETUP_FAILURE"
    assert "its runtime environment could not be set up" in done.err
    assert "this backend builds nothing" in done.err
