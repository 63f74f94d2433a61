"""Programs in Go that judge what raykit judges: found on PATH, else built from their modules."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"
POD_SECURITY = Path(__file__).parent / "podsecurity"
BUILD_SECONDS = 900
"""The first build on a machine fetches and compiles some hundred packages."""


def pytest_collection_modifyitems(items):
    """Give tests that may build a program the time for it."""
    for item in items:
        if {"kubeconform", "kubernetes_says"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 100))


def built(folder, *words, cwd=None):
    """Run a build; skip the test where it cannot be had, unless CI knows that it can."""
    go = shutil.which("go")
    why = "go is not on PATH" if go is None else ""
    # A download that breaks is asked for once more: Go itself gives up at once.
    for _ in range(2 if go else 0):
        done = subprocess.run(
            ["nice", "-n", "10", go, *words],
            env={**os.environ, "GOBIN": str(folder)},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
        if done.returncode == 0:
            return
        why = f"go {words[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}"
    if os.environ.get("RAYKIT_REQUIRE_GO"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def kubeconform(tmp_path_factory):
    """The path of kubeconform."""
    found = shutil.which("kubeconform")
    if found:
        return found
    folder = tmp_path_factory.mktemp("kubeconform")
    built(folder, "install", KUBECONFORM)
    return str(folder / "kubeconform")


@pytest.fixture(scope="session")
def kubernetes_says(tmp_path_factory):
    """Judges pods by Kubernetes' own evaluator; returns the reasons against each."""
    program = tmp_path_factory.mktemp("podsecurity") / "podsecurity"
    built(program.parent, "build", "-o", str(program), ".", cwd=POD_SECURITY)

    def judge(text):
        done = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
        return done.stdout

    return judge
