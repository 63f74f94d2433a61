"""The house stands as it was drawn: who may import whom, and what starting costs."""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE, JOBS = ROOT / "cli" / "raykit", ROOT / "jobs"

PICTURE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("```")[1]
ROOMS = [
    f"raykit.{name.removesuffix('.py').removesuffix('/')}"
    for name in re.findall(r"^  (?:\w+ +| +)(\w+(?:/|\.py)) ", PICTURE, re.MULTILINE)
]
"""The rooms of the picture in CONTRIBUTING.md, from the door down."""
HANDS = ("raykit.submission", "raykit.local", "raykit.containers", "raykit.archives")
KUBERNETES = ("raykit.kube", "raykit.kuberay")
"""`kuberay` stands on `kube`; no other hand knows another."""
PURE = ("raykit.measure", "raykit.spec", "raykit.manifests")
IMPURE = {
    *("time", "random", "secrets", "socket", "ssl", "subprocess", "tempfile", "uuid"),
    *("urllib.request", "http", "httpx2", "os", "shutil", "getpass", "platform"),
}
# Whoever holds a child process may name its type.
GUARD = ("raykit.local.descendants", "os.fork")
MAY_NAME_SUBPROCESS = ("raykit.processes", "raykit.local", "raykit.kuberay", "raykit.testing")
STARTS_PROGRAMS = {
    *("run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"),
}
OS_STARTS = ("system", "popen", "fork", "forkpty", "posix_spawn", "exec", "spawn")


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its syntax tree and what it imports."""

    name: str
    tree: ast.Module

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of each import; `from a import b` gives `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno} imports relatively"
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def modules(folder: Path, prefix: str) -> list[Module]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join([prefix, *parts]).removesuffix(".__init__")
        found.append(Module(name, ast.parse(path.read_text("utf-8"), str(path))))
    return found


CLI, JOB_MODULES = modules(PACKAGE, "raykit"), modules(JOBS, "jobs")
ALL = CLI + JOB_MODULES


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def level(name: str) -> int | None:
    """0 is the door; None for `raykit` itself, which everybody may import."""
    if name == "raykit.__main__":
        return 0
    return next((index for index, room in enumerate(ROOMS) if within(name, room)), None)


def broken(rule, among=ALL):
    """`module:line import` of each import that the rule forbids."""
    return [
        f"{module.name}:{line} imports {name}"
        for module in among
        for line, name in module.imports()
        if rule(module.name, name)
    ]


def calls(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_the_picture_shows_every_room_that_there_is_and_no_other():
    there = {
        f"raykit.{path.stem}"
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }
    assert set(ROOMS) == there


def test_every_module_has_its_place_in_the_house():
    assert [m.name for m in CLI if level(m.name) is None] == ["raykit"]


def test_imports_go_down_only():
    def goes_up(importer, imported):
        here, there = level(importer), level(imported)
        return here is not None and there is not None and there < here

    assert broken(goes_up) == []


def hand(name: str) -> str | None:
    """The hand that a module belongs to; the two about Kubernetes count as one."""
    if any(within(name, one) for one in KUBERNETES):
        return "kubernetes"
    return next((one for one in HANDS if within(name, one)), None)


def test_the_hands_do_not_know_each_other():
    def crosses(importer, imported):
        here, there = hand(importer), hand(imported)
        return None not in (here, there) and here != there

    assert broken(crosses) == []


def test_no_folder_holds_more_than_twelve_modules():
    dunder = ("__init__.py", "__main__.py")
    paths = [*PACKAGE.rglob("*.py"), *JOBS.rglob("*.py")]
    folders = Counter(path.parent for path in paths if path.name not in dunder)
    crowded = {
        folder.relative_to(ROOT).as_posix(): count
        for folder, count in folders.items()
        if count > 12
    }
    assert crowded == {}


def test_cli_and_jobs_never_import_each_other():
    assert broken(lambda _, imported: within(imported, "jobs"), CLI) == []
    assert broken(lambda _, imported: within(imported, "raykit"), JOB_MODULES) == []


@pytest.mark.parametrize(
    ("package", "home"), [("typer", "raykit.app"), ("click", "nowhere"), ("ray", "jobs")]
)
def test_some_packages_are_imported_in_one_place_only(package, home):
    assert broken(lambda me, them: within(them, package) and not within(me, home)) == []


def test_only_the_output_module_prints():
    printing = [
        f"{module.name}:{line}"
        for module in CLI
        if module.name != "raykit.app.output"
        for line, function in calls(module)
        if function in {"print", "sys.stdout.write", "sys.stderr.write", "typer.secho"}
    ]
    assert printing == []


def test_only_the_processes_module_starts_programs():
    named = broken(
        lambda me, them: (
            within(them, "subprocess") and not any(within(me, one) for one in MAY_NAME_SUBPROCESS)
        ),
        CLI,
    )
    started = [
        f"{module.name}:{line} calls {function}"
        for module in CLI
        if module.name != "raykit.processes"
        for line, function in calls(module)
        if _starts_a_program(function) and (module.name, function) != GUARD
    ]
    assert named + started == []


def _starts_a_program(function: str) -> bool:
    owner, _, name = function.rpartition(".")
    if owner == "subprocess":
        return name in STARTS_PROGRAMS
    return owner == "os" and name.startswith(OS_STARTS)


def test_spec_and_measure_know_no_clock_environment_randomness_or_network():
    def impure(importer, imported):
        is_pure = any(within(importer, package) for package in PURE)
        writes_files = importer == "raykit.measure.records" and within(imported, "os")
        return is_pure and not writes_files and any(within(imported, package) for package in IMPURE)

    assert broken(impure) == []
    records = next(module for module in CLI if module.name == "raykit.measure.records")
    attributes = {
        ast.unparse(node) for node in ast.walk(records.tree) if isinstance(node, ast.Attribute)
    }
    assert not {name for name in attributes if name.startswith(("os.environ", "os.getenv"))}


def test_a_wrong_import_would_be_found():
    def imports(name, source):
        return list(broken(lambda *_: True, [Module(name, ast.parse(source))]))

    assert imports("raykit.measure.x", "from raykit.app import main") == [
        "raykit.measure.x:1 imports raykit.app.main"
    ]
    assert level("raykit.app.main") == 0 < level("raykit.measure.x")
    assert _starts_a_program("os.execvp")
    assert _starts_a_program("subprocess.Popen")
    assert not _starts_a_program("os.getpid")


HEAVY = {"ray", "pydantic", "httpx2", "kubernetes", "yaml", "psutil", "rich"}


def loaded_by(code: str, env: dict[str, str]) -> set[str]:
    ending = "\nimport json, sys; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + ending], capture_output=True, text=True, check=True, env=env
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_raykit_loads_nothing_heavy():
    assert HEAVY & loaded_by("import raykit", dict(os.environ)) == set()


@pytest.mark.parametrize("words", [["--help"], ["submit", "--help"], ["runs"], ["--version"]])
def test_help_loads_nothing_heavy_and_needs_no_tool_on_the_path(tmp_path, words):
    code = f"""
import contextlib
from raykit.app.main import main
with contextlib.suppress(SystemExit):
    main({words!r})
"""
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path), "RAYKIT_RUNS": str(tmp_path / "none")}
    assert HEAVY & loaded_by(code, env) == set()
