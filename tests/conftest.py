"""What tests of every kind share: the installed `raykit`, run as a child in an empty world."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A run in the background of a shell without job control ignores Ctrl-C, one under nohup a closed
# terminal, and so would every child: a test that sends these signals would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A busy machine is no reason to fail: no test asserts a time. Nor is chance: each run has the same
# examples, and `make soak` looks for new ones.
settings.register_profile(
    "raykit",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    derandomize="RAYKIT_SOAK" not in os.environ,
)
settings.load_profile("raykit")

ROOT = Path(__file__).parents[1]

PATIENCE_SECONDS = 240.0
"""How long a test waits for what must come: on a busy machine anything takes ten times as long."""


@dataclass
class Outcome:
    """What a command that has ended left: status, both streams, and its folder of runs."""

    code: int
    out: str
    err: str
    runs: Path

    @property
    def envelope(self):
        return json.loads(self.out)

    @property
    def record(self):
        """The one record that it left."""
        (path,) = self.runs.glob("*/record.json")
        return json.loads(path.read_text("utf-8"))

    @property
    def folder(self) -> Path:
        (path,) = self.runs.glob("*/record.json")
        return path.parent


PATIENT = """
import importlib, sys
for name in sys.argv.pop(1).split():
    module, _, constant = name.rpartition(".")
    setattr(importlib.import_module(module), constant, {seconds})
from raykit.app.door import main
main()
"""


def patient(*constants) -> list[str]:
    """The words that run a raykit which waits as long as its tests. constants: of its seconds."""
    code = PATIENT.format(seconds=PATIENCE_SECONDS)
    return [sys.executable, "-P", "-c", code, " ".join(constants)]


class Cli:
    """The `raykit` command in a world without the caller's Ray, clusters and warm heads."""

    def __init__(self, world: Path) -> None:
        self.runs = world / "runs"
        self.cwd = world / "here"
        self.cwd.mkdir()
        (world / "state").mkdir(mode=0o700)
        mine = ("RAY_", "RAYKIT_", "KUBE", "PYTHONPATH", "HTTP_PROXY", "http_proxy", "XDG_RUNTIME")
        self.env = {name: text for name, text in os.environ.items() if not name.startswith(mine)}
        self.env |= {
            "RAYKIT_RUNS": str(self.runs),
            "KUBECONFIG": str(world / "no-kubeconfig"),
            "XDG_RUNTIME_DIR": str(world / "state"),
            "HOME": str(world),
            "COLUMNS": "80",
        }
        self.program = [str(Path(sys.executable).with_name("raykit"))]
        self.children: list[subprocess.Popen] = []

    def start(self, *words, env=None, **options) -> subprocess.Popen:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        child = subprocess.Popen(
            [*self.program, *map(str, words)],
            env=self.env | (env or {}),
            cwd=options.pop("cwd", self.cwd),
            stdin=subprocess.DEVNULL,
            **{name: value for name, value in streams.items() if name != "cwd"},
        )
        self.children.append(child)
        return child

    def patient(self, *constants) -> None:
        """From now on raykit waits as long as its tests for what it else leaves out.

        constants: with their modules, in seconds.
        """
        self.program = patient(*constants)

    def end(self) -> None:
        """Kill what a test left running, as one that failed does."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.communicate()
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()

    def __call__(self, *words, env=None, timeout=PATIENCE_SECONDS, **options) -> Outcome:
        child = self.start(*words, env=env, **options)
        try:
            out, err = child.communicate(timeout=timeout)
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
        texts = [(stream or b"").decode(errors="replace") for stream in (out, err)]
        return Outcome(child.returncode, *texts, self.runs)


@pytest.fixture
def cli(tmp_path) -> Iterator[Cli]:
    """`cli("submit", "fib")` runs raykit; `cli.start(…)` leaves it running."""
    made = Cli(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def soon():
    """`soon(condition)`: wait until it holds, at most `seconds`, and return what it gave.

    pause: the seconds between two looks.
    """

    def wait(condition, seconds=PATIENCE_SECONDS, pause=0.05):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
            time.sleep(pause)
        return found

    return wait
