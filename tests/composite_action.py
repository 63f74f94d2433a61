"""Runs a GitHub composite action as a runner does: its steps, by bash, with inputs in `env` only.

It knows what `.github/actions` uses: `run` steps with `shell: bash`, `env`, `if: always()`, and
`${{ inputs.X }}` or `${{ steps.X.outputs.Y }}` alone in a value.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REFERENCE = re.compile(r"\$\{\{ (inputs|steps)\.([\w-]+)(?:\.outputs\.([\w-]+))? \}\}")
KNOWN_KEYS = {"id", "if", "shell", "env", "run"}


@dataclass
class Outcome:
    """failed: ids of steps that failed; outputs: of the action; summary: what a reader sees."""

    outputs: dict[str, str]
    summary: str
    failed: list[str] = field(default_factory=list)
    said: str = ""


class Action:
    """One action. world: a folder for the runner's files."""

    def __init__(self, path: Path, world: Path) -> None:
        self.path, self.world = path, world
        self.content = yaml.safe_load(path.read_text("utf-8"))
        assert self.content["runs"]["using"] == "composite"

    @property
    def steps(self) -> list[dict]:
        return self.content["runs"]["steps"]

    def run(self, env: dict[str, str], cwd: Path, **inputs: str) -> Outcome:
        """Run all steps. inputs: by name, with _ for -."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        known = self.content["inputs"]
        assert set(given) <= set(known), f"unknown inputs {set(given) - set(known)}"
        missing = [name for name, one in known.items() if one.get("required") and name not in given]
        assert not missing, f"inputs are missing: {missing}"
        values = {name: str(one.get("default", "")) for name, one in known.items()} | given
        steps: dict[str, dict[str, str]] = {}
        summary = self.world / "summary.md"
        summary.write_text("")
        outcome = Outcome({}, "")
        for step in self.steps:
            assert set(step) <= KNOWN_KEYS
            assert step["shell"] == "bash"
            assert step.get("if") in (None, "always()")
            if outcome.failed and step.get("if") is None:
                continue
            filled = {key: fill(text, values, steps) for key, text in step["env"].items()}
            code, said, steps[step["id"]] = self._bash(step, env | filled, cwd, summary)
            outcome.said += said
            if code:
                outcome.failed.append(step["id"])
        named = self.content["outputs"].items()
        outcome.outputs = {name: fill(one["value"], values, steps) for name, one in named}
        outcome.summary = summary.read_text("utf-8")
        return outcome

    def _bash(self, step, env, cwd, summary):
        """Exit code, output, and outputs of one step."""
        files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTION_PATH": str(self.path.parent)}
        return bash(step["id"], step["run"], env | files, cwd, self.world)


def bash(
    name: str, script: str, env: dict[str, str], cwd: Path, world: Path
) -> tuple[int, str, dict[str, str]]:
    """Run the script of a step as a runner does: exit code, output, and outputs of the step."""
    path, outputs = world / f"{name}.sh", world / f"{name}.out"
    path.write_text(script)
    outputs.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(path)],
        env=env | {"GITHUB_OUTPUT": str(outputs), "GITHUB_RUN_ID": "7", "RUNNER_TEMP": str(world)},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=500,
    )
    lines = (line.partition("=") for line in outputs.read_text("utf-8").splitlines())
    return done.returncode, done.stdout, {key: value for key, _, value in lines}


def fill(text: str, inputs: dict[str, str], steps: dict[str, dict[str, str]]) -> str:
    """The value of an expression, as GitHub would put it there."""
    found = REFERENCE.fullmatch(str(text))
    if found is None:
        assert "${{" not in str(text), f"an expression that this runner does not know: {text}"
        return str(text)
    of, name, output = found.groups()
    return inputs[name] if of == "inputs" else steps.get(name, {}).get(output, "")


def environment(**more: str) -> dict[str, str]:
    """What a runner gives a step: no variables of Ray's or raykit's."""
    ours = ("RAY", "KUBE", "GITHUB", "RUNNER")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | more
