"""A folder of the user's that has the name of one of ours, on a cluster that runs raykit's image.

Slow because only a real image has our jobs where they could meet: below the driver's import path.
"""

import subprocess

import pytest

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]
SCRIPT = """
import ray
from jobs.helpers import who

@ray.remote
def there():
    import jobs, jobs.helpers
    return jobs.helpers.who(), len(list(jobs.__path__))

ray.init(log_to_driver=False, logging_level="ERROR")
print(who(), *ray.get(there.remote()))
"""


@pytest.fixture
def folder(tmp_path):
    """A project with a `jobs/` of its own, without `__init__.py`, and modules that break ours."""
    (tmp_path / "mine" / "jobs").mkdir(parents=True)
    (tmp_path / "mine" / "main.py").write_text(SCRIPT)
    (tmp_path / "mine" / "jobs" / "helpers.py").write_text("def who(): return 'mine'\n")
    for name in ("fib", "timing", "job"):
        (tmp_path / "mine" / "jobs" / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    return tmp_path / "mine"


def submit(lab, folder, *words):
    done = subprocess.run(
        ["raykit", "submit", *words, "--on", "raykit/single-node"],
        env=lab.env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_users_own_jobs_folder_never_meets_ours_in_a_pod(lab, folder):
    assert submit(lab, folder, "./main.py").splitlines()[-1] == "mine mine 1"
    shown = submit(lab, folder, "fib", "--working-dir", ".")
    assert "Local and remote results agree" in shown
