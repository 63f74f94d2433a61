"""What README and docs/ promise exists: commands, options, files, settings, links, exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from raykit import errors
from raykit.errors import EXIT_CODES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT): path.read_text("utf-8") for path in PAGES}
README = TEXTS[Path("README.md")]
EXIT_CODE_PAGE = TEXTS[Path("docs/exit-codes.md")]


def blocks(text):
    """The lines of all blocks of shell of a page; a line that ends with a backslash goes on."""
    whole = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    return whole.replace("\\\n", " ").splitlines()


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


COMMANDS = [words for text in TEXTS.values() for line in blocks(text) for words in words_of(line)]
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


def test_the_pages_have_commands_to_test():
    assert len(RAYKIT) > 50
    assert {"demo", "test", "kind-up"} <= set(MAKE)


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("words", RAYKIT, ids=" ".join)
def test_every_command_of_the_pages_exists_with_its_options(words):
    own = list(words[1 : words.index("--")] if "--" in words else words[1:])
    names = next(tuple(own[:size]) for size in (2, 1, 0) if tuple(own[:size]) in REGISTERED)
    assert names, f"no such command: {' '.join(words)}"
    options = {word.partition("=")[0] for word in own if word.startswith("-") and word != "-"}
    assert options <= REGISTERED[names] | {"-h", "--help"}


@pytest.mark.parametrize("target", MAKE)
def test_every_make_target_of_the_pages_exists(target):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{re.escape(target)}:.*## ", makefile, re.M)


@pytest.mark.parametrize("page", TEXTS, ids=str)
def test_every_shape_and_page_that_a_page_names_exists(page):
    named = set(re.findall(r"(?<![\w/])(?:deploy/[\w./-]+\.yaml|docs/[\w-]+\.md)", TEXTS[page]))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", TEXTS, ids=str)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXTS[page])
    assert [link for link in links if not (ROOT / page.parent / link).exists()] == []


def test_the_index_of_the_documentation_lists_every_page():
    index = TEXTS[Path("docs/README.md")]
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", index))
    assert listed == {page.name for page in TEXTS if page.parent.name == "docs"} - {"README.md"}


def test_every_setting_of_the_pages_is_read_somewhere():
    source = "".join(path.read_text("utf-8") for path in (ROOT / "cli").rglob("*.py"))
    pages = "".join(TEXTS.values())
    settings = set(re.findall(r"\bRAYKIT_[A-Z_]+\b", pages))
    assert settings
    assert {name for name in settings if name not in source} == set()


def test_the_table_of_exit_codes_is_that_of_the_errors():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", EXIT_CODE_PAGE, re.M)
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
        [sys.executable, "-m", "raykit", *words], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0
    assert done.stdout.startswith(("raykit ", "Usage: raykit"))
