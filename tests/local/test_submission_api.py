"""The Python API on a real head, and the documentation's own example."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from raykit import attach, runs, submit
from raykit.errors import ConflictError, JobFailedError, UsageError
from raykit.progress import Silent

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(head, tmp_path, monkeypatch):
    """A folder to work in, with the shared head as the place to run."""
    for name in [name for name in os.environ if name.startswith(("RAY_", "RAYKIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAYKIT_ON", head.url)
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_the_documentation_runs_as_it_stands(here):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python-api.md").read_text(), re.S)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True)
    assert done.stderr == ""
    status, phases, ids = done.stdout.splitlines()
    assert (status, ids) == ("SUCCEEDED 0", "['the-answer']")
    assert "'submit'" in phases


def test_submit_attach_and_runs_give_the_objects_of_the_command_line(here):
    class Heard(Silent):
        output = b""

        def job_output(self, chunk):
            self.output += chunk

    heard = Heard()
    (here / "job").mkdir()
    (here / "job/mine.py").write_text("import os, sys; print(sys.argv[1:], os.environ['K'])\n")
    run = submit("job/mine.py", ["a b", "$HOME"], env={"K": "v"}, id="api-1", listener=heard)
    assert (run.exit_code, run.error, heard.output) == (0, None, b"['a b', '$HOME'] v\n")
    assert attach("api-1").record == run.record
    assert [record.submission_id for record in runs()] == ["api-1"]
    assert isinstance(submit(["true"], id="api-1").error, ConflictError)


def test_a_job_that_fails_is_a_run_with_an_error_and_bad_usage_is_raised(here):
    run = submit(["sh", "-c", "exit 5"])
    assert isinstance(run.error, JobFailedError)
    assert (run.exit_code, run.record.driver_exit_code) == (20, 5)
    with pytest.raises(UsageError, match="there is no job 'fibb'"):
        submit("fibb")
    with pytest.raises(UsageError, match="runtime_env is wrong"):
        submit("fib", runtime_env={"pips": []})
