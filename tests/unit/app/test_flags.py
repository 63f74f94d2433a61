"""An option that would do nothing is refused, and a hint names only what its command takes."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from raykit.app import main as door
from raykit.flows import local
from raykit.flows.clusters import work
from raykit.local import warm

CLI = Path(door.__file__).parents[1]


@pytest.fixture(autouse=True)
def no_context(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("name: small\nhead: {taskCpus: 1, memory: 2Gi}\n")
    return path


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("up", "--on", "local", "--replicas", "2"), "--replicas"),
        (("up", "--on", "local", "--context", "prod"), "--context"),
        (("up", "--on", "local", "-n", "ray"), "--namespace"),
        (("up", "--on", "local", "--timeout", "300"), "--timeout"),
        (("up", "--on", "local", "--yes"), "--yes"),
        (("up", "--on", "local", "--create-namespace"), "--create-namespace"),
        (("up", "--on", "local", "-f", "SPEC"), "--file"),
        (("up", "-f", "SPEC", "--nodes", "1"), "--nodes"),
        (("down", "--on", "local", "-f", "SPEC"), "--file"),
        (("down", "--on", "local", "--context", "prod"), "--context"),
        (("up", "--on", "local", "--recreate"), "--recreate"),
        (("submit", "fib", "--on", "local", "--context", "prod"), "--context"),
        (("ps", "--on", "http://127.0.0.1:1", "-n", "ray"), "--namespace"),
        (("status", "--on", "local", "-n", "ray"), "--namespace"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(raykit, spec, words, option):
    code, out, said = raykit(*(spec if word == "SPEC" else word for word in words))
    assert (code, out) == (2, "")
    assert option in said
    assert "would do nothing" in said
    assert "next: leave" in said


@pytest.fixture
def head(monkeypatch):
    """A local head `three` that is up, as far as commands can see; `head.ended` after `down`."""
    three = SimpleNamespace(
        name="three", url="http://127.0.0.1:1/", nodes=3, ray="2.60.0", started=0.0, ended=False
    )
    three.head = lambda: SimpleNamespace(endpoint=lambda: None)
    monkeypatch.setattr(warm, "running", lambda: [] if three.ended else [three])
    monkeypatch.setattr(warm, "down", lambda head: setattr(head, "ended", True))
    monkeypatch.setattr(local, "_alive", lambda _: [1.0, 1.0, 1.0])
    monkeypatch.setattr(work, "on_target", lambda *_: "")
    return three


def test_down_knows_local_heads_by_their_name(raykit, head):
    assert raykit("down", "three")[:2] == (0, "three is gone\n")
    assert head.ended


def test_down_of_an_unknown_name_lists_local_heads(raykit, head):
    code, _, said = raykit("down", "thre")
    assert code == 4
    assert "there is the local head three" in said
    assert not head.ended


def test_a_name_of_a_head_and_of_a_cluster_ends_neither(raykit, head, api, kubeconfig):
    kubeconfig(api.url, context="prod")
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}]})
    template = {"spec": {"containers": [{"name": "ray-head"}]}}
    three = {
        "kind": "RayCluster",
        "metadata": {"name": "three", "namespace": "raykit"},
        "spec": {"headGroupSpec": {"template": template}},
    }
    api.keep("rayclusters", three)
    code, _, said = raykit("down", "three", "--yes")
    assert code == 2
    assert "local head three" in said
    assert "prod:raykit/three" in said
    assert "raykit down three --on local" in said
    assert not head.ended
    assert raykit("down", "three", "--on", "local")[0] == 0
    assert [method for method, *_ in api.asked if method != "GET"] == []


def test_a_dead_context_neither_hides_nor_keeps_a_local_head(raykit, head, kubeconfig):
    kubeconfig("http://127.0.0.1:1", context="dead")
    code, out, said = raykit("status")
    assert code == 5
    assert "three" in out
    assert "context dead" in said
    code, out, _ = raykit("status", "-o", "json")
    assert code == 5
    assert '"name": "three"' in out
    assert '"kind": "KubernetesError"' in out
    assert raykit("down", "three")[0] == 0
    assert head.ended


def test_a_namespace_without_any_context_is_an_error_of_status(raykit, head):
    code, out, said = raykit("status", "-n", "ray")
    assert code == 4
    assert "three" in out
    assert "there is no kubeconfig" in said


def test_a_malformed_kubeconfig_does_not_hide_local_heads(raykit, head, kubeconfig):
    kubeconfig("http://127.0.0.1:1").write_text("contexts: 7\n")
    code, out, said = raykit("status")
    assert code == 4
    assert "three" in out
    assert "malformed" in said


HINT = re.compile(r"raykit ((?:[a-z]+ ?)+)([^;,()\n]*)")


def texts(tree):
    """Each text of a module's code, as it is read: what is filled in later is X."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield str(node.value)


def hints():
    for path in sorted(CLI.rglob("*.py")):
        for text in texts(ast.parse(path.read_text("utf-8"))):
            for words, rest in HINT.findall(text):
                yield path.relative_to(CLI).as_posix(), words.split(), rest


def known_commands():
    """Options by command, such as `runs show`."""
    known = {}

    def walk(command, name):
        children = getattr(command, "commands", None)
        if children:
            for child, each in children.items():
                walk(each, (*name, child))
        options = {option for each in command.params for option in (*each.opts, "-h", "--help")}
        known[name] = options

    walk(typer.main.get_command(door.app), ())
    return known


def test_each_hint_names_a_command_and_options_that_it_takes():
    known, wrong, seen = known_commands(), [], 0
    for path, words, rest in hints():
        command = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known), None)
        if command is None:
            continue
        seen += 1
        own = re.split(r"(?:^|\s)--(?:\s|$)", rest)[0]
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", own):
            if option not in known[command]:
                wrong.append(f"{path}: raykit {' '.join(command)} {option}")
    assert seen > 40
    assert wrong == []
