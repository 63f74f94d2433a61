"""The documentation and the program say the same, in both directions."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from raykit import api, kit
from raykit.app.main import app
from raykit.errors import EXIT_CODES
from raykit.spec import reference
from raykit.spec.model import ClusterSpec

ROOT = Path(__file__).parents[2]
QUOTES = "faults.md"
"""It quotes what raykit says, with the commands of kubectl and Helm in it."""
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != QUOTES),
]


def options_of(command):
    """Every option of a command and of those below it."""
    own = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    return own.union(*(options_of(child) for child in getattr(command, "commands", {}).values()))


OURS = options_of(typer.main.get_command(app)) | {"--help"}
OF_JOBS = {
    option
    for path in (kit.root() / "jobs").rglob("*.py")
    for option in re.findall(r'"(--[a-z][a-z-]+)"', path.read_text("utf-8"))
}


OF_RAY = {"--head", "--address", "--num-cpus"}
"""Options of `ray start`, which the page for people who know Ray names."""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_option_that_a_page_names_exists(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", prose))
    assert named - OURS - OF_JOBS - OF_RAY == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_writes_the_keys_of_a_spec_as_a_spec_does(page):
    inner = {name for name, key in keys_of(ClusterSpec) if name != key} - IN_RESULTS
    assert inner & set(re.findall(r"`([a-z_]+)`", page.read_text("utf-8"))) == set()


IN_RESULTS = {"task_cpus"}
"""Keys of a job's result line, which the model of the spec has under the same names."""


def keys_of(model):
    """The names of a model's fields in Python and in YAML, and those of its parts."""
    for name, field in model.model_fields.items():
        yield name, field.alias
    for entry in reference.entries(model):
        if entry.holds:
            yield from keys_of(entry.holds)


def test_an_exit_code_is_offered_only_where_an_option_can_lead_to_it():
    of_conditions = [code for code, text in EXIT_CODES.items() if "--fail-if" in text]
    assert bool(of_conditions) == ("--fail-if" in OURS)


@pytest.mark.parametrize("name", ["submit", "attach", "runs"])
def test_the_python_page_lists_the_parameters_of_each_call(name):
    page = (ROOT / "docs" / "python-api.md").read_text("utf-8")
    (listed,) = re.findall(rf"^\| `{name}\((.*?)\)`", page, re.M)
    expected = [
        parameter.name for parameter in inspect.signature(getattr(api, name)).parameters.values()
    ]
    words = [word.strip().partition("=")[0] for word in listed.split(",")]
    assert [word for word in words if word != "*"] == expected


def test_the_help_of_submit_names_every_job_of_the_kit():
    words = [sys.executable, "-m", "raykit", "submit", "--help"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert [job for job in kit.jobs() if not re.search(rf"\b{job}\b", shown)] == []


def test_the_makefile_uses_its_own_environment():
    recipes = re.findall(r"^\t@?(\S+)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert {word for word in recipes if word in {"raykit", "python", "pip", "pytest"}} == set()


def test_make_help_says_how_long_the_tests_take_and_what_is_shorter():
    shown = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True).stdout
    (line,) = [line for line in shown.splitlines() if " make test " in line]
    assert "20 minutes" in line
    assert "make unit" in line


def test_every_file_that_the_table_of_contributing_names_exists():
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = page.partition("## Where do I change what")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:[\w.-]+/)*[\w.-]+(?:/|\.(?:py|toml)))`", table)
    assert len(named) > 20
    bases = (ROOT, ROOT / "cli" / "raykit")
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


def test_the_page_on_the_output_explains_every_doubt():
    page = (ROOT / "docs" / "reading-the-output.md").read_text("utf-8")
    measure = ROOT / "cli" / "raykit" / "measure"
    sources = [path.read_text("utf-8") for path in measure.rglob("*.py")]
    names = {name for text in sources for name in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', text)}
    doubts = {name for name in names if re.search(rf'Doubt\(\s*"{name}"', "\n".join(sources))}
    assert len(doubts) >= 8
    assert {name for name in doubts if f"`{name}`" not in page} == set()
