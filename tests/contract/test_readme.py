"""What the README promises exists: commands, options, files, settings, and the exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from raykit import errors
from raykit.errors import EXIT_CODES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)


def words_of(line):
    """The words of each command of a line of shell, without its comment."""
    plain = shlex.split(line, comments=True)
    commands, current = [], []
    for word in plain:
        if word in {"&&", "|", ";"}:
            commands.append(current)
            current = []
        else:
            current.append(word)
    return [command for command in [*commands, current] if command]


COMMANDS = [words for block in BLOCKS for line in block.splitlines() for words in words_of(line)]
RAYKIT = sorted({tuple(words) for words in COMMANDS if words[0] == "raykit"})
MAKE = sorted({words[1] for words in COMMANDS if words[0] == "make"})


def registered():
    """Every command's names, and its options."""
    import typer.main

    from raykit.app.main import app

    found = {}

    def walk(command, names):
        children = getattr(command, "commands", {})
        found[names] = {option for param in command.params for option in param.opts}
        found[names] |= {option for param in command.params for option in param.secondary_opts}
        for name, child in children.items():
            walk(child, (*names, name))

    walk(typer.main.get_command(app), ())
    return found


REGISTERED = registered()


def test_the_readme_has_commands_to_test():
    assert len(RAYKIT) > 10
    assert {"demo", "test"} <= set(MAKE)


@pytest.mark.parametrize("words", RAYKIT, ids=" ".join)
def test_every_command_of_the_readme_exists_with_its_options(words):
    own = list(words[1 : words.index("--")] if "--" in words else words[1:])
    names = next(tuple(own[:size]) for size in (2, 1, 0) if tuple(own[:size]) in REGISTERED)
    assert names, f"no such command: {' '.join(words)}"
    options = {word.partition("=")[0] for word in own if word.startswith("-")}
    assert options <= REGISTERED[names] | {"-h", "--help"}


@pytest.mark.parametrize("target", MAKE)
def test_every_make_target_of_the_readme_exists(target):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{re.escape(target)}:.*## ", makefile, re.M)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"deploy/[\w./-]+\.yaml", README))))
def test_every_file_of_the_readme_exists(path):
    assert (ROOT / path).is_file()


def test_every_setting_of_the_readme_is_read_somewhere():
    source = "".join(path.read_text("utf-8") for path in (ROOT / "cli").rglob("*.py"))
    settings = set(re.findall(r"\bRAYKIT_[A-Z_]+\b", README))
    assert settings
    assert {name for name in settings if name not in source} == set()


def test_the_table_of_exit_codes_is_that_of_the_errors():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", README, re.M)
    assert {int(code): text for code, text in rows} == EXIT_CODES
    assert [int(code) for code, _ in rows] == sorted(EXIT_CODES)


def test_every_error_has_an_exit_code_of_the_table_and_stands_in_the_tree():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RaykitError)
    ]
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert set(codes.values()) | {0} == set(EXIT_CODES)
    drawn = re.findall(r"(\w+Error)\s+(\d+) ", errors.__doc__)
    assert {name: int(code) for name, code in drawn} == codes


@pytest.mark.parametrize("words", [["--version"], ["-h"], ["submit", "-h"]])
def test_python_m_raykit_is_the_same_door(words):
    done = subprocess.run(
        [sys.executable, "-m", "raykit", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith(("raykit ", "Usage: raykit"))
