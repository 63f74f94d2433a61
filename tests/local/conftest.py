"""A real local Ray: one head for all tests that need none of their own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from raykit.local import heads as local_heads
from raykit.progress import Progress

HANGING_SECONDS = 1800
"""When a test here hangs: some start many heads or jobs, each of them slow on a busy machine."""

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
]


def pytest_collection_modifyitems(config, items):
    """Give the tests on a real Ray more time than the others; --timeout comes before it."""
    for item in items:
        if item.get_closest_marker("local") and config.getoption("timeout") is None:
            item.add_marker(pytest.mark.timeout(HANGING_SECONDS))


@pytest.fixture(scope="session")
def head():
    """A head that lives for the session; its token is known to nobody else."""
    pytest.importorskip("psutil", reason="needs the extra [local]")
    with local_heads.head(Progress()) as started:
        yield started


@pytest.fixture
def cli(cli):
    """raykit whose heads lie in a folder of this test alone, whose path is short enough for Ray."""
    with tempfile.TemporaryDirectory(prefix="rk-", dir="/tmp", ignore_cleanup_errors=True) as own:
        cli.env["TMPDIR"] = own
        yield cli


@pytest.fixture
def on_head(cli, head):
    """raykit as `cli`, with `--on` and the token of the shared head in its environment."""
    cli.env |= {"RAYKIT_ON": head.url, "RAY_AUTH_TOKEN": head.token}
    return cli


@pytest.fixture
def gathers_all(cli):
    """raykit gathers evidence to the end, however busy this machine is."""
    cli.patient(
        "raykit.flows.keeping.collecting.BY_ITSELF_SECONDS",
        "raykit.flows.keeping.collecting.BY_HAND_SECONDS",
        "raykit.submission.evidence.head.SILENCE_SECONDS",
        "raykit.submission.evidence.head.ANSWER_SECONDS",
        "raykit.submission.evidence.head.STEP_SECONDS",
    )


@pytest.fixture
def waits_for_the_stop(cli):
    """raykit waits until a job that it stops has ended and its log is read."""
    cli.patient(
        "raykit.flows.session.HURRY_SECONDS",
        "raykit.flows.session.STOP_SECONDS",
        "raykit.flows.session.LOG_SECONDS",
        "raykit.flows.jobs.STOP_SECONDS",
    )


@pytest.fixture
def waits_for_tasks(cli):
    """raykit waits until a job that has tasks reports them, however busy this machine is."""
    cli.patient("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS")


@pytest.fixture
def warm(cli, processes):
    """`warm(name, nodes)`: what the file of a warm head says, which ends with the test."""
    started = []

    def up(name, nodes=1):
        done = cli("up", "--on", "local", "--name", name, "--nodes", nodes)
        assert done.code == 0, done.err
        (path,) = Path(cli.env["XDG_RUNTIME_DIR"]).glob(f"*/{name}.json")
        started.append(json.loads(path.read_text("utf-8")))
        return started[-1]

    yield up
    for head in started:
        cli("down", head["name"], "--on", "local", "--yes")
        for pid, _ in processes(head["folder"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(head["folder"], ignore_errors=True)


@pytest.fixture
def heads(cli):
    """`heads()`: folders of local heads that this test started and that are there now."""
    return lambda: {path for path in Path(cli.env["TMPDIR"]).glob("rkh-*") if path.is_dir()}


@pytest.fixture
def processes():
    """`processes(text)`: (pid, argument list) of those whose arguments or variables hold it."""

    def find(text):
        return [(pid, words) for pid, words, env in _processes() if text in words + env]

    return find


@pytest.fixture
def argument_lists():
    """`argument_lists()`: of every process of this machine, as one text each."""
    return lambda: [words for _, words, _ in _processes()]


@pytest.fixture
def chromium(tmp_path):
    """`chromium(url)`: the page's document after its scripts have run."""
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("RAYKIT_REQUIRE_KIND"), "chromium must be installed here"
        pytest.skip("needs chromium")

    def load(url):
        words = [program, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", url]
        return subprocess.run(words, capture_output=True, text=True, timeout=240).stdout

    return load


def _processes():
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            words = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ")
            env = folder.joinpath("environ").read_bytes()
        except OSError:
            continue
        yield int(folder.name), words.decode(errors="replace"), env.decode(errors="replace")
