"""`docs/commands.md` names every command and every option of the program."""

import re
import subprocess
import sys
from pathlib import Path

import typer

from raykit.app.main import app

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")


def test_the_page_is_as_the_program_says():
    words = [sys.executable, ROOT / "scripts" / "render_reference.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), "run make render"


def test_every_command_has_a_block_that_names_each_of_its_options():
    blocks = dict(re.findall(r"^## `raykit (.*?)`\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
    missing, seen = [], 0

    def walk(command, name):
        nonlocal seen
        below = getattr(command, "commands", {})
        if not below:
            options = [option for param in command.params for option in param.opts]
            block = blocks.get(name, "")
            missing.extend(
                f"{name} {option}"
                for option in [*(each for each in options if each.startswith("-")), ""]
                if option not in block or not block
            )
            seen += 1
        for word, child in below.items():
            walk(child, f"{name} {word}".strip())

    walk(typer.main.get_command(app), "")
    assert seen > 20
    assert missing == []
