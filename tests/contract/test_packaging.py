"""What is installed: the commands, and what the extras bring."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from raykit import versions

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.prefix) / "bin"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_hint_that_installs_ray_names_all_that_the_extra_has():
    entries = PROJECT["optional-dependencies"]["local"]
    names = {re.split("[=>[]", entry)[0] for entry in entries}
    words = versions.INSTALL_RAY.removeprefix("pip install ").replace("'", "").split()
    assert {re.split("[=[]", word)[0] for word in words} == names
    assert words[0] in entries


def test_development_has_every_extra():
    extras = PROJECT["optional-dependencies"]
    (ours,) = [entry for entry in extras["dev"] if entry.startswith("raykit-kube")]
    assert set(re.search(r"\[(.*)\]", ours)[1].split(",")) == set(extras) - {"dev"}


def test_the_image_brings_what_the_extra_of_gsod_has():
    recipe = (ROOT / "Dockerfile").read_text("utf-8")
    entries = PROJECT["optional-dependencies"]["gsod"]
    assert [entry for entry in entries if f'"{entry}"' not in recipe] == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_kubectl_finds_raykit_as_a_plugin_and_help_speaks_of_it_so():
    env = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["kubectl", "raykit", "runs", "--help"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: kubectl raykit runs ")
