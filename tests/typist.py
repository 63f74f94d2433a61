"""An interactive shell on a terminal, in which a test types and presses tab."""

import json
import os
import pty
import select
import subprocess
import sys
import time

from tests.programs import write_program

PATIENCE_SECONDS = 240.0
REAL = [sys.executable, "-m", "raykit"]
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(raykit completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; source <(raykit completion zsh)",
    ),
    "fish": (["fish", "--no-config", "-i"], "raykit completion fish | source"),
}


def noting_raykit(here, real=REAL):
    """Write `bin/raykit` in a folder: it completes as raykit does, and only notes other words.

    real: the words that run raykit.
    """
    (here / "bin").mkdir()
    program = here / "bin" / "raykit"
    write_program(
        program,
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if sys.argv[1:2] not in (['__complete'], ['completion']):\n"
        "    with open('ran', 'a') as out: print(json.dumps(sys.argv[1:]), file=out)\n"
        "    sys.exit()\n"
        "import subprocess\n"
        f"code = subprocess.run({[*real]!r} + sys.argv[1:]).returncode\n"
        "with open('answered', 'a') as out: print(sys.argv[1:], file=out)\n"
        "sys.exit(code)\n",
    )


class Typist:
    """An interactive shell on a terminal of its own."""

    def __init__(self, shell, here, env):
        words, self.setup = START[shell]
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait(PATIENCE_SECONDS)
        os.close(self.main)

    def load_completion(self):
        os.write(self.main, self.setup.encode() + b"\n")
        self._answered(0)

    def complete(self, typed):
        """Type, press tab, wait for the shell's answer, press enter; the words that it ran."""
        before = self.ran.read_text().splitlines() if self.ran.exists() else []
        answers = self._answers()
        os.write(self.main, typed.encode() + b"\t")
        self._answered(answers)
        os.write(self.main, b"\n")
        deadline = time.monotonic() + PATIENCE_SECONDS
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
        deadline = time.monotonic() + PATIENCE_SECONDS
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
