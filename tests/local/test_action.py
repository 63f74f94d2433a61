"""The GitHub action on this machine: its steps, bash, and a real Ray head at an address."""

import os
import sys
from pathlib import Path

import pytest

from tests.composite_action import Action, environment

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
RAYKIT = str(Path(sys.executable).with_name("raykit"))


@pytest.fixture
def gate(cli, head, tmp_path):
    """`gate(…)`: the action, with one head under two names: as equal as two arms can be."""
    action = Action(ROOT / ".github" / "actions" / "bench" / "action.yml", tmp_path)
    port = head.url.rstrip("/").rpartition(":")[2]
    env = environment(
        HOME=str(tmp_path), KUBECONFIG=str(tmp_path / "none"), PATH=os.environ["PATH"]
    )

    def run(**inputs):
        places = f"http://127.0.0.1:{port}\nhttp://localhost:{port}"
        plain = {"raykit": RAYKIT, "job": "fib", "on": places, "token": head.token}
        plain |= {"repeat": "1", "warm_up": "0", "arguments": "--size 300 --repeat 1"}
        return action.run(env, tmp_path, **plain | inputs)

    return run


def test_the_table_is_in_the_summary_and_the_archive_can_be_imported(gate, cli):
    outcome = gate(fail_if="seconds>300")
    assert outcome.failed == [], outcome.said
    assert outcome.summary.startswith("### raykit bench\n\n")
    assert "| http://localhost:" in outcome.summary
    assert "FEW_SAMPLES" in outcome.summary or "SINGLE_SAMPLE" in outcome.summary
    imported = cli("runs", "import", outcome.outputs["records"])
    assert imported.code == 0, imported.err
    compared = cli("compare", outcome.outputs["experiment"], "-o", "markdown")
    assert compared.code == 0
    assert compared.out == Path(outcome.outputs["markdown"]).read_text()


def test_a_condition_that_holds_fails_the_step(gate):
    outcome = gate(fail_if="seconds>0.000001")
    assert outcome.failed == ["bench"]
    assert "seconds>1e-06 holds for" in outcome.summary
    assert "Exit code 10:" in outcome.summary
    assert outcome.outputs["records"]


def test_a_job_that_fails_fails_the_step_with_its_reason(gate):
    outcome = gate(arguments="--no-such-option")
    assert outcome.failed == ["bench"]
    assert "no-such-option" in outcome.summary
