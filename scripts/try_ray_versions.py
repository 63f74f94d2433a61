"""What raykit can do on the heads of other Ray versions: the table of docs/ray-versions.md.

    python scripts/try_ray_versions.py VENV...

Each VENV is a virtual environment with `ray[default]` of one version. For each the script starts a
head (`ray start --head`) without a token, one with a token where that Ray knows tokens, and runs
raykit's commands against its address. It prints a table in Markdown, and what went wrong below it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FIRST_WITH_TOKENS = (2, 52)
FAILED, STOPPED, TIMED_OUT = 20, 21, 22
SCRIPT = "import sys, helper\nprint(helper.ANSWER)\nsys.exit(int(sys.argv[1]))\n"
COLUMNS = ("Ray", "token", "submit, logs", "own folder", "fib", "exit codes", "stop", "attach")


class Head:
    """One Ray head, and raykit's commands against its address."""

    def __init__(self, python: Path, url: str, folder: Path, token: str) -> None:
        self.python, self.url, self.folder = python, url, folder
        self.env = clean_environment() | {"RAYKIT_ON": url, "RAYKIT_RUNS": str(folder / "runs")}
        if token:
            self.env["RAY_AUTH_TOKEN"] = token

    def raykit(self, *words: str, code: int = 0) -> str:
        """Run one command; its output. AssertionError where the exit code is another."""
        done = subprocess.run(
            [sys.executable, "-m", "raykit", *words],
            check=False,
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"raykit {' '.join(words)}: {done.returncode}\n{output}"
        return output


def clean_environment() -> dict[str, str]:
    """This shell's environment without what decides which Ray is spoken to."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY")}


def submit_and_read_logs(head: Head) -> None:
    head.raykit("submit", "--id", "echo", "--entrypoint", "--", "echo", "hello")
    assert "hello" in head.raykit("logs", "echo")
    assert "echo" in head.raykit("ps")


def upload_a_folder(head: Head) -> None:
    folder = head.folder / "mine"
    folder.mkdir()
    (folder / "helper.py").write_text("ANSWER = 'from the helper'\n")
    (folder / "job.py").write_text(SCRIPT)
    assert "from the helper" in head.raykit("submit", str(folder / "job.py"), "--", "0")


def measure_fib(head: Head) -> None:
    output = head.raykit("submit", "fib", "--", "--size", "20000")
    assert "Speedup" in output, output
    assert "busy" in output, f"no tasks were listed:\n{output}"


def tell_endings_apart(head: Head) -> None:
    head.raykit("submit", str(head.folder / "mine" / "job.py"), "--", "3", code=FAILED)
    head.raykit(
        "submit", "--id", "slow", "--timeout", "5", "--entrypoint", "--", "sleep", "90",
        code=TIMED_OUT,
    )  # fmt: skip


def stop_a_job(head: Head) -> None:
    head.raykit("stop", "slow")
    assert "STOPPED" in head.raykit("ps")


def attach_to_ended_jobs(head: Head) -> None:
    head.raykit("attach", "slow", code=STOPPED)
    output = head.raykit("attach", "echo")
    assert "SUCCEEDED" in output, output


STEPS: tuple[Callable[[Head], None], ...] = (
    submit_and_read_logs,
    upload_a_folder,
    measure_fib,
    tell_endings_apart,
    stop_a_job,
    attach_to_ended_jobs,
)


@contextmanager
def started(venv: Path, token: str) -> Iterator[Head]:
    """A head of a virtual environment's Ray on a free port; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="rk-", ignore_cleanup_errors=True) as text:
        folder, port, python = Path(text), free_port(), venv / "bin" / "python"
        mode = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
        words = ["--block", "--port=0", f"--dashboard-port={port}", f"--temp-dir={folder}/ray"]
        process = subprocess.Popen(
            [venv / "bin" / "ray", "start", "--head", "--num-cpus=2", *words],
            env=clean_environment() | mode | {"PATH": f"{venv}/bin:{os.environ['PATH']}"},
            stdout=(folder / "head.log").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        head = Head(python, f"http://127.0.0.1:{port}", folder, token)
        try:
            wait_for(head, process)
            yield head
        finally:
            process.terminate()
            process.wait(60)


def wait_for(head: Head, process: subprocess.Popen[bytes]) -> None:
    """Wait until the head's Jobs API answers. Errors: SystemExit with the log of its start."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        done = subprocess.run(
            [sys.executable, "-m", "raykit", "ps"],
            check=False,
            env=head.env,
            capture_output=True,
        )
        if done.returncode == 0:
            return
        time.sleep(1)
    raise SystemExit(f"no answer from {head.url}:\n{(head.folder / 'head.log').read_text()}")


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def version_of(venv: Path) -> str:
    """The version of the Ray that is installed in a virtual environment."""
    code = "import importlib.metadata as m; print(m.version('ray'))"
    return subprocess.check_output([venv / "bin" / "python", "-c", code], text=True).strip()


def try_head(venv: Path, token: str, problems: list[str]) -> list[str]:
    """The cells of one row: yes, or a number that points to the problem."""
    cells = []
    with started(venv, token) as head:
        for step in STEPS:
            try:
                step(head)
                cells.append("yes")
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                problems.append(f"{version_of(venv)}, {step.__name__}: {problem}")
                cells.append(f"no [{len(problems)}]")
    return cells


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("venvs", nargs="+", type=Path, metavar="VENV")
    options = parser.parse_args()
    problems: list[str] = []
    print(row(COLUMNS), row(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for venv in options.venvs:
        version = version_of(venv)
        knows_tokens = tuple(map(int, version.split(".")[:2])) >= FIRST_WITH_TOKENS
        for token in ("", secrets.token_hex(16)) if knows_tokens else ("",):
            cells = try_head(venv.absolute(), token, problems)
            print(row([version, "yes" if token else "no", *cells]), flush=True)
    for at, problem in enumerate(problems, 1):
        print(f"\n[{at}] {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
