"""Runs steps of `.github/workflows/release.yml` as a runner does, in a copy of this checkout."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from raykit import versions
from tests.composite_action import bash, environment

ROOT = Path(__file__).parents[1]
PATH = ROOT / ".github" / "workflows" / "release.yml"
EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")
GITHUB = {
    "github.ref_name": f"v{versions.RAYKIT}",
    "github.repository": "Someone/raykit",
    "github.repository_owner": "Someone",
    "github.actor": "Someone",
    "github.token": "a-token",
}


class Release:
    """The one job of the workflow. folder: the checkout; world: the runner's own folder."""

    def __init__(self, tmp_path: Path, **variables: str) -> None:
        self.job = yaml.safe_load(PATH.read_text("utf-8"))["jobs"]["release"]
        self.steps = {step.get("id", step.get("uses")): step for step in self.job["steps"]}
        self.world, self.folder = tmp_path / "runner", tmp_path / "checkout"
        self.world.mkdir()
        self.variables = variables
        self.values = dict(GITHUB)
        copy_checkout(self.folder)
        changelog = self.folder / "CHANGELOG.md"
        heading = f"## {versions.RAYKIT} (2026-11-26)\n\nThe first version.\n\n## 0.0.1\n\nOlder.\n"
        changelog.write_text(f"# Changelog\n\n## Unreleased\n\nNew.\n\n{heading}")

    def run(self, step_id: str) -> tuple[int, str]:
        """Exit code and output of one step; its outputs are there for later ones."""
        step = self.steps[step_id]
        given = self.job["env"] | step.get("env", {})
        filled = {key: self.fill(text) for key, text in given.items()}
        env = environment(**filled | self.variables)
        code, said, outputs = bash(step_id, step["run"], env, self.folder, self.world)
        self.values |= {f"steps.{step_id}.outputs.{key}": text for key, text in outputs.items()}
        return code, said

    def fill(self, text: object) -> str:
        """A value with its expressions filled in, as GitHub does; an unknown one is an error."""
        return EXPRESSION.sub(lambda found: self.values[found[1]], str(text))


def copy_checkout(folder: Path) -> None:
    """What a checkout has: the files that git tracks or would take, as they are now."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
