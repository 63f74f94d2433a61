"""Completion in the real shells: what is typed, a tab, and which words the shell then runs."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.typist import REAL, START, Typist, noting_raykit

ODD = '{name: "odd $(touch evil) name", context: {cluster: c, user: u}}'


@pytest.fixture
def world(tmp_path, monkeypatch, api, kubeconfig):
    """A folder to type in, with a run, two contexts and a cluster; `raykit` notes its words."""
    kubeconfig(api.url, context="arn:aws:eks:x/y")
    path = tmp_path / "kubeconfig"
    path.write_text(path.read_text().replace("contexts:\n", f"contexts:\n- {ODD}\n", 1))
    api.keep("namespaces", {"metadata": {"name": "kube-system"}})
    api.keep("rayclusters", {"metadata": {"name": "theirs", "namespace": "team"}, "spec": {}})
    here = tmp_path / "here"
    (here / "shapes").mkdir(parents=True)
    run = here / "runs" / "20260101-000000-fib-aaaa"
    run.mkdir(parents=True)
    (run / "record.json").write_text("{}")
    noting_raykit(here)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY", "XDG"))}
    return here, kept | {
        "PATH": f"{here / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "TERM": "xterm",
        "PS1": "ready> ",
    }


@pytest.fixture(params=list(START))
def typist(request, world):
    if shutil.which(request.param) is None:
        assert not os.environ.get("RAYKIT_REQUIRE_SHELLS"), (
            f"{request.param} must be installed here"
        )
        pytest.skip(f"needs {request.param}")
    with Typist(request.param, *world) as opened:
        opened.load_completion()
        yield opened


def test_a_tab_completes_what_raykit_knows_and_files_where_it_knows_nothing(typist, world):
    here, _ = world
    assert typist.complete("raykit subm") == ["submit"]
    assert typist.complete("raykit submit fi") == ["submit", "fib"]
    assert typist.complete("raykit bench fib --scaling=wea") == ["bench", "fib", "--scaling=weak"]
    assert typist.complete("raykit submit fib -- --siz") == ["submit", "fib", "--", "--size"]
    assert typist.complete("raykit logs 2026") == ["logs", "20260101-000000-fib-aaaa"]
    assert typist.complete("raykit status -n kube") == ["status", "-n", "kube-system"]
    assert typist.complete("raykit ps --on te") == ["ps", "--on", "team/theirs"]
    assert typist.complete("raykit ps --context arn:aws:e") == [
        "ps",
        "--context",
        "arn:aws:eks:x/y",
    ]
    assert typist.complete("raykit ps --context od") == [
        "ps",
        "--context",
        "odd $(touch evil) name",
    ]
    assert not (here / "evil").exists(), "the shell ran a part of a name"
    validated = typist.complete("raykit validate sha")
    assert [word.rstrip("/") for word in validated] == ["validate", "shapes"]


def test_kubectl_gets_candidates_of_its_plugin_and_whether_to_offer_files(
    raykit, monkeypatch, capsys
):
    from raykit.app.door import complete_for_kubectl

    def printed(*words):
        monkeypatch.setattr(sys, "argv", ["kubectl_complete-raykit", *words])
        with pytest.raises(SystemExit) as ended:
            complete_for_kubectl()
        assert ended.value.code == 0
        return capsys.readouterr().out.splitlines()

    assert printed("subm") == ["submit\tRun a job on a Ray cluster and follow it to its end", ":4"]
    assert printed("validate", "") == [":0"]


@pytest.mark.parametrize("line", ["raykit '", 'raykit submit "fi', "raykit submit \\", "raykit  "])
def test_bash_gets_an_answer_for_any_line(line):
    done = subprocess.run([*REAL, "__complete", "bash", " :=", line], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [[], ["bash"], ["zsh"], ["pwsh", ""], ["bash", ":"]])
def test_a_shell_that_says_too_little_gets_no_traceback(words):
    done = subprocess.run([*REAL, "__complete", *words], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
