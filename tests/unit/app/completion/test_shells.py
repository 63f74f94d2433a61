"""Completion in the real shells: what is typed, a tab, and which words the shell then runs."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

REAL = [sys.executable, "-m", "raykit"]
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(raykit completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; source <(raykit completion zsh)",
    ),
    "fish": (["fish", "--no-config", "-i"], "raykit completion fish | source"),
}


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
    (here / "bin").mkdir()
    program = here / "bin" / "raykit"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if sys.argv[1:2] not in (['__complete'], ['completion']):\n"
        "    with open('ran', 'a') as out: print(json.dumps(sys.argv[1:]), file=out)\n"
        "    sys.exit()\n"
        "import subprocess\n"
        f"code = subprocess.run({[*REAL]!r} + sys.argv[1:]).returncode\n"
        "with open('answered', 'a') as out: print(sys.argv[1:], file=out)\n"
        "sys.exit(code)\n"
    )
    program.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY", "XDG"))}
    return here, kept | {
        "PATH": f"{here / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "TERM": "xterm",
        "PS1": "ready> ",
    }


ODD = '{name: "odd $(touch evil) name", context: {cluster: c, user: u}}'


class Typist:
    """An interactive shell on a terminal of its own."""

    def __init__(self, shell, here, env):
        words, setup = START[shell]
        words = ["setsid", "--ctty", *words]  # job control wants a terminal of its own
        self.main, other = pty.openpty()
        self.ran = here / "ran"
        self.child = subprocess.Popen(
            words,
            cwd=here,
            env=env,
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        self.screen = b""
        self.enter(setup)

    def enter(self, text):
        os.write(self.main, text.encode() + b"\n")

    def complete(self, typed):
        """Type, press tab, wait for the shell's answer, press enter; the words that it ran."""
        before = self.ran.read_text().splitlines() if self.ran.exists() else []
        answers = self._answers()
        os.write(self.main, typed.encode() + b"\t")
        self._answered(answers)
        os.write(self.main, b"\n")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self._read(0.1)
            lines = self.ran.read_text().splitlines() if self.ran.exists() else []
            if len(lines) > len(before):
                return json.loads(lines[-1])
        raise AssertionError(f"nothing ran; the screen: {self.screen[-2000:]!r}")

    def _answers(self):
        """How often raykit has answered in this folder."""
        path = self.ran.with_name("answered")
        return len(path.read_text().splitlines()) if path.exists() else 0

    def _answered(self, before):
        """Read until raykit has answered once more, and then until the shell is quiet."""
        deadline = time.monotonic() + 30
        while self._answers() == before:
            assert time.monotonic() < deadline, f"no answer; the screen: {self.screen[-2000:]!r}"
            self._read(0.1)
        while self._read(0.4):
            pass

    def _read(self, seconds):
        ready, _, _ = select.select([self.main], [], [], seconds)
        if not ready:
            return False
        try:
            self.screen += os.read(self.main, 65536)
        except OSError:
            return False
        return True

    def close(self):
        self.child.kill()
        self.child.wait(20)
        os.close(self.main)


@pytest.fixture(params=list(START))
def typist(request, world):
    if shutil.which(request.param) is None:
        assert not os.environ.get("RAYKIT_REQUIRE_SHELLS"), (
            f"{request.param} must be installed here"
        )
        pytest.skip(f"needs {request.param}")
    opened = Typist(request.param, *world)
    opened._answered(0)
    yield opened
    opened.close()


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
