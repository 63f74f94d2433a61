"""`make render`: what it writes, how drift shows, and that Kustomize builds it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from raykit import kit, versions
from raykit.kube.connection import DEFAULT_NAMESPACE
from raykit.manifests.render import render
from raykit.spec.load import load_file, overridden

ROOT = Path(kit.root())
SCRIPT = ROOT / "scripts" / "render_base.py"
CLUSTERS = ROOT / "deploy" / "clusters"
BASE = ROOT / "deploy" / "base"
SHAPES = sorted(path.stem for path in CLUSTERS.glob("*.yaml"))


def run(*words):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    done = run("--base", folder, "--image", "raykit:x")
    assert done.returncode == 0, done.stderr
    return folder


def test_each_shape_gets_a_manifest_and_a_kustomization(base):
    written = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    own = [
        f"{shape}/{name}" for shape in SHAPES for name in ("kustomization.yaml", "raycluster.yaml")
    ]
    assert written == sorted([*own, "cloud/poddisruptionbudget-head.yaml"])


def test_rendering_again_writes_nothing(base):
    done = run("--base", base, "--image", "raykit:x")
    assert (done.returncode, done.stdout) == (0, "")


def test_another_image_an_edit_and_a_missing_file_are_drift(base, tmp_path):
    edited = shutil.copytree(base, tmp_path / "base")
    assert run("--check", "--base", edited, "--image", "raykit:x").returncode == 0
    assert run("--check", "--base", edited, "--image", "raykit:y").returncode == 8
    (edited / "scaled" / "raycluster.yaml").write_text("edited")
    (edited / "multi-node" / "kustomization.yaml").unlink()
    done = run("--check", "--base", edited, "--image", "raykit:x")
    assert done.returncode == 8
    assert "scaled/raycluster.yaml" in done.stdout
    assert "multi-node/kustomization.yaml" in done.stdout
    assert (edited / "scaled" / "raycluster.yaml").read_text() == "edited"


def test_files_of_others_are_left_alone(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "base")
    (folder / "scaled" / "notes.md").write_text("mine")
    assert run("--base", folder, "--image", "raykit:y").returncode == 0
    assert (folder / "scaled" / "notes.md").read_text() == "mine"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
@pytest.mark.parametrize("shape", SHAPES)
def test_kustomize_builds_what_render_prints_for_the_namespace_of_up(base, shape):
    done = subprocess.run(
        ["kubectl", "kustomize", str(base / shape)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    spec = overridden(load_file(CLUSTERS / f"{shape}.yaml"), namespace=DEFAULT_NAMESPACE)
    assert built == render(spec, image="raykit:x")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_kustomize_builds_from_a_folder_what_render_prints(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: mine\nnamespace: ns\nqueue: q\ndisruptionBudget: true\nmonitoring: {enabled: true}\n"
        "networkPolicy: {enabled: true, apiServer: [10.0.0.1/32]}\n"
        "head: {taskCpus: 1, memory: 2Gi}\n"
    )
    raykit = [sys.executable, "-m", "raykit", "render", "-f", str(spec), "--image", "a/b:c"]
    raykit += ["--job", "fib --size 20000", "--job", "gsod"]
    out = tmp_path / "out"
    printed = subprocess.run(raykit, capture_output=True, text=True, check=True).stdout
    subprocess.run([*raykit, "--output-dir", str(out)], capture_output=True, check=True)
    done = subprocess.run(["kubectl", "kustomize", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert _by_name(done.stdout) == _by_name(printed)


def _by_name(text):
    made = list(yaml.safe_load_all(text))
    named = {(each["kind"], each["metadata"]["name"]): each for each in made}
    assert len(named) == len(made) > 5
    return named


def test_the_ray_of_a_spec_that_names_none_is_that_of_raykits_own_image():
    (argument,) = [
        line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if "ARG RAY=" in line
    ]
    assert argument.removeprefix("ARG RAY=").split("-")[0] == versions.RAY


@pytest.mark.skipif(not BASE.is_dir(), reason="deploy/base is not committed yet")
def test_the_committed_base_has_not_drifted():
    done = run("--check")
    assert done.returncode == 0, done.stdout


def test_the_committed_job_is_what_its_spec_renders_to(tmp_path):
    script = ROOT / "scripts" / "render_job.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), "run make render"
    job = tmp_path / "fib.yaml"
    words = [sys.executable, script, "--folder", tmp_path]
    assert subprocess.run(words, capture_output=True, text=True).stdout == f"{job}\n"
    job.write_text(job.read_text("utf-8").replace("backoffLimit: 0", "backoffLimit: 2"))
    drifted = subprocess.run([*words, "--check"], capture_output=True, text=True)
    assert (drifted.returncode, "+  backoffLimit: 0" in drifted.stdout) == (8, True)
