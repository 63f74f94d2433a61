"""What raykit says of a fault, and when: seen on a terminal, as a person would see it.

With RAYKIT_FAULTS_TABLE=FILE each case adds a line of JSON to FILE; `scripts/render_faults.py FILE`
makes docs/faults.md of them. Times are measured and shown there; no test judges them.
"""

import itertools
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TABLE = "RAYKIT_FAULTS_TABLE"
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|[\u2800-\u28ff]")
"""What moves the cursor or colours, and the characters that turn while raykit waits."""


@dataclass
class Watched:
    """raykit on a terminal of 80 columns. lines: what it showed, each with its moment."""

    child: subprocess.Popen
    began: float = field(default_factory=time.monotonic)
    lines: list = field(default_factory=list)

    def read(self, terminal):
        """Take what is shown until the terminal closes. What is drawn again unchanged is nothing
        new: a wait that only turns is a silent one."""
        rest = ""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            *parts, rest = re.split(r"[\r\n]+", rest + piece.decode("utf-8", "replace"))
            for part in [*parts, rest]:
                self._show(part, whole=part is not rest)
        os.close(terminal)

    def _show(self, part, whole):
        text = CODES.sub("", part).strip()
        if text and (whole or "…" in text) and (not self.lines or self.lines[-1][1] != text):
            self.lines.append((time.monotonic(), text))

    @property
    def text(self):
        return "\n".join(line for _, line in self.lines)

    def until(self, words, seconds=240):
        """Wait until it has shown some words, in one line or in several."""
        deadline = time.monotonic() + seconds
        while words not in unbroken(self.text):
            if self.child.poll() is not None:
                self.reader.join(seconds)
                assert words in unbroken(self.text), self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def strike(self):
        """The fault happens now: from here on it is timed."""
        self.began = time.monotonic()


@dataclass
class Said:
    """How a command ended. seconds: from the fault to the end; silent: the longest time in between
    without a new word."""

    code: int
    seconds: float
    silent: float
    text: str

    @property
    def unbroken(self):
        return unbroken(self.text)


class Faults:
    """Runs raykit in a faulty world. where: what is faulty, for the table. section: of cases.md."""

    def __init__(self, env, cwd, where):
        self.env, self.cwd, self.where = env, cwd, where
        self.children = []

    def __call__(self, section, case, *words, code, env=None, timeout=500):
        """Run a command that meets a fault; its exit code is checked, and the row is kept."""
        return self.end(self.start(*words, env=env), section, case, code, timeout=timeout)

    def start(self, *words, env=None):
        """Start a command, which a fault will meet."""
        ours, theirs = pty.openpty()
        program = Path(sys.executable).with_name("raykit")
        child = subprocess.Popen(
            [program, *map(str, words)],
            env={**self.env, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80", **(env or {})},
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.children.append(child)
        watched = Watched(child)
        watched.reader = threading.Thread(target=watched.read, args=(ours,), daemon=True)
        watched.reader.start()
        return watched

    def end(self, watched, section, case, code, says=(), timeout=500):
        """Wait until a command has ended, check its exit code and what it says; keep the row.

        says: patterns of what else it says of the fault, before its error or without one.
        """
        watched.child.wait(timeout)
        ended = time.monotonic()
        watched.reader.join(240)
        moments = [watched.began, *(at for at, _ in watched.lines if at > watched.began), ended]
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        said = Said(watched.child.returncode, ended - watched.began, max(gaps), watched.text)
        assert said.code == code, f"exit {said.code}\n{said.text}"
        self._keep(section, case, said, [*quoted(said.text, says), *explanation(said.text)])
        return said

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def _keep(self, section, case, said, says):
        path = os.environ.get(TABLE)
        if not path:
            return
        row = {
            "section": section,
            "case": case,
            "where": self.where,
            "seconds": round(said.seconds, 1),
            "silent": round(said.silent, 1),
            "code": said.code,
            "says": says,
        }
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def explanation(text):
    """The lines of the last error; none where nothing went wrong."""
    lines = text.splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return lines[at[-1] :] if at else []


def quoted(text, patterns):
    """What matches each pattern first, on a line of its own; fails where nothing does. An empty
    match, of a pattern that allows one, leaves no line."""
    found = [re.search(pattern, unbroken(text)) for pattern in patterns]
    lacking = [pattern for pattern, match in zip(patterns, found, strict=True) if match is None]
    assert not lacking, f"not said: {lacking}\n{text}"
    return [match[0] for match in found if match[0]]


def unbroken(text):
    """A text without the ends of its lines, at which a terminal breaks sentences."""
    return " ".join(text.split())
