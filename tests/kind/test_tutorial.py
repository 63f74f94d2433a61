"""The walk on kind: every command of docs/tutorial.md from the cluster on."""

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.walk import steps

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
AT_THE_END = ["raykit", "kind", "down"]


def test_the_walk_on_kind_goes_as_the_page_shows(lab):
    walked = steps(on_kubernetes=True)
    assert walked[-1].command == "raykit kind down"
    for step in walked:
        words = shlex.split(step.command)
        if words == AT_THE_END:
            continue  # the other tests share this cluster
        done = subprocess.run(
            words, cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, f"{step.command}\n{done.stdout}\n{done.stderr}"
        assert step.lacks(done.stdout + done.stderr) == [], step.command
