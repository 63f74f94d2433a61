"""The wheel works outside a clone: it carries the jobs, and runs them in an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from raykit import versions

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("raykit_kube-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with nothing but what the wheel brings."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_carries_the_kit_and_no_rubbish(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        commands = archive.read(entry_points).decode().splitlines()
    programs = ("raykit", "kubectl-raykit")
    assert {f"{name} = raykit.app.door:main" for name in programs} <= {*commands}
    assert "kubectl_complete-raykit = raykit.app.door:complete_for_kubectl" in commands
    assert "raykit/app/completion/commands.json" in names
    kit = {name.removeprefix("raykit/_kit/") for name in names if name.startswith("raykit/_kit/")}
    tracked = subprocess.run(
        ["git", "ls-files", "jobs", "Dockerfile", "deploy/kind.yaml", "deploy/clusters"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.split()
    if tracked:
        assert set(tracked) <= kit
    assert {"jobs/fib/__main__.py", "jobs/timing.py", "Dockerfile", "deploy/kind.yaml"} <= kit
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_submit_fib_runs_from_the_wheel_in_an_empty_folder(cli, installed):
    cli.program = [sys.executable, "-m", "raykit"]
    cli.env["PYTHONPATH"] = str(installed)
    where = subprocess.run(
        [sys.executable, "-c", "from raykit import kit; print(kit.root())"],
        env=cli.env,
        cwd=cli.cwd,
        capture_output=True,
        text=True,
    )
    assert where.stdout.strip() == str(installed / "raykit" / "_kit")
    del cli.env["RAYKIT_RUNS"]
    cli.runs = cli.cwd / "runs"
    done = cli("submit", "fib", "--", "--size", "2000", "--repeat", "1")
    assert (done.code, done.record["status"]) == (0, "SUCCEEDED"), done.err
    assert "Local and remote results agree" in done.out
    assert sorted(entry.name for entry in cli.cwd.iterdir()) == ["runs"]


@pytest.fixture
def without_ray(tmp_path):
    """A folder with every installed package but Ray."""
    folder = tmp_path / "packages"
    folder.mkdir()
    installed = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for entry in installed.iterdir():
        if not entry.name.startswith(("ray", "__editable__", "_raykit")):
            (folder / entry.name).symlink_to(entry)
    return folder


def test_without_ray_the_command_that_installs_it_is_named(cli, installed, without_ray):
    cli.program = [sys.executable, "-S", "-m", "raykit"]
    cli.env["PYTHONPATH"] = os.pathsep.join([str(installed), str(without_ray)])
    done = cli("submit", "fib", "--on", "local")
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines()[-3:] == [
        "error: a local Ray head needs the extra 'local': ray is not installed here",
        f"  Python {sys.version.split()[0]} at {sys.executable}",
        f"next: {versions.INSTALL_RAY}   (in a clone: make install)",
    ]
    assert cli("--help").code == 0
    assert cli("runs").out == "no runs yet; raykit submit fib makes the first\n"


def test_the_options_of_a_job_are_listed_from_the_wheel(cli, installed):
    cli.program = [sys.executable, "-m", "raykit"]
    cli.env["PYTHONPATH"] = str(installed)
    done = cli("submit", "gsod", "--", "--help")
    assert done.code == 0, done.err
    for option in ("--data SOURCE", "--high-temp F", "--strict"):
        assert option in done.out


def test_a_job_that_init_writes_passes_its_own_test_from_the_wheel(cli, installed):
    cli.program = [sys.executable, "-m", "raykit"]
    cli.env["PYTHONPATH"] = str(installed)
    assert cli("init", "job", "pi").code == 0
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pi.py"]
    done = subprocess.run(
        words, env=cli.env, cwd=cli.cwd / "pi", capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    with_tasks = ("--", "--size", "4000", "--tasks", "2")
    done = cli("submit", "pi/pi.py", "--on", "local", *with_tasks)
    assert (done.code, done.record["results"][0]["task_cpus"]) == (0, os.cpu_count()), done.err
    in_a_loop = (*with_tasks, "--mode", "local")
    assert cli("submit", "pi/pi.py", "--on", "local", *in_a_loop).code == 0
    compared = cli("compare", "last~1", "last")
    assert (compared.code, "of A's time (compute)" in compared.out) == (0, True), compared.out
