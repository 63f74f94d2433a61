"""One real kind cluster for the whole session, and a namespace of its own for each test.

Where docker, kind, Helm or kubectl are absent the tests skip, saying so; with RAYKIT_REQUIRE_KIND=1
they fail instead.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.faults import Faults
from tests.kind.life import restricted_namespace, write_spec
from tests.kind.wellness import wait_until_well

NAME = "raykit-test"
TOOLS = ("docker", "kind", "helm", "kubectl")
SCRIPTS = Path(sys.prefix) / "bin"


@dataclass
class Lab:
    """A kind cluster, and the environment in which to speak to it.

    given_up: whether it was waited for in vain after a test had broken it.
    """

    name: str
    env: dict[str, str]
    cold: dict = field(default_factory=dict)
    given_up: bool = False

    @property
    def context(self):
        return f"kind-{self.name}"

    def raykit(self, *words, code=0, timeout=500, program=("raykit",)):
        """Run raykit as a user would; its exit code is checked. program: a patient raykit."""
        done = subprocess.run(
            [*program, *map(str, words)],
            env=self.env,
            cwd=self.env["HOME_OF_TESTS"],
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words, **options):
        """The data of a command's JSON envelope."""
        return json.loads(self.raykit(*words, "-o", "json", **options).stdout)["data"]

    def kubectl(self, *words, stdin=None, check=True):
        done = subprocess.run(
            ["kubectl", "--context", self.context, *words],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, *words):
        """The items of `kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))["items"]


def lacking():
    """Why the kind tests cannot run here; None where they can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} not on PATH"
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "the docker engine does not answer"
    return None


@pytest.fixture(scope="session")
def kind_env(tmp_path_factory):
    """An environment of its own: kubeconfig, locks and the name of the kind cluster."""
    reason = lacking()
    if reason and os.environ.get("RAYKIT_REQUIRE_KIND") == "1":
        pytest.fail(f"RAYKIT_REQUIRE_KIND=1, yet {reason}")
    if reason:
        pytest.skip(f"needs a kind cluster: {reason}")
    folder = tmp_path_factory.mktemp("kind")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return {
        **kept,
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(folder / "kubeconfig"),
        "XDG_STATE_HOME": str(folder / "state"),
        "RAYKIT_RUNS": str(folder / "runs"),
        "RAYKIT_KIND_NAME": NAME,
        "HOME_OF_TESTS": str(folder),
    }


@pytest.fixture(scope="session")
def lab(kind_env):
    """The cluster of `raykit kind up`, deleted at the end of the session, also after failures."""
    lab = Lab(NAME, kind_env)
    lab.raykit("kind", "down")
    lab.raykit("image", "build")
    try:
        lab.cold = lab.json("kind", "up")
        yield lab
    finally:
        lab.raykit("kind", "down")


@pytest.fixture(autouse=True)
def well(request):
    """Whatever a test did to the shared cluster, and however it ended, the next meets it well."""
    lab = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    yield
    if lab:
        wait_until_well(lab)


@pytest.fixture
def namespace(lab, request):
    """A namespace that enforces Pod Security `restricted`, gone after the test."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40]
    with restricted_namespace(lab, readable.strip("-")) as name:
        yield name


@pytest.fixture
def faults(lab):
    """Runs raykit on a terminal where a fault meets it, and keeps the row of docs/faults.md."""
    made = Faults(lab.env, lab.env["HOME_OF_TESTS"], "kind")
    yield made
    made.close()


@pytest.fixture
def refused_up(faults, namespace):
    """`refused_up(case, spec)`: what `raykit up` says where a cluster does not become ready,
    without the ends of its lines."""

    def up(case, spec, *more):
        words = ("up", "-f", spec, "-n", namespace, *more)
        said = faults("Pods and scheduling", case, *words, code=5, timeout=500)
        assert "next: " in said.text
        return said.unbroken

    return up


@pytest.fixture
def spec(tmp_path):
    """Writes a spec with a head that fits anywhere; returns its path."""
    return partial(write_spec, tmp_path)


@pytest.fixture(scope="session")
def soon(soon):
    """As in other tests, with longer pauses: a look starts kubectl or raykit, which need the CPU
    that what they wait for needs too."""
    return partial(soon, pause=0.5)
