"""Run a local Ray head, and end it with all processes that it started.

Runs as `python -P -m raykit.local.supervisor FOLDER`, with the head's folder (see folders.py),
which it removes at the end. Its first line of standard input is a JSON object:

    head    the words of `ray start --head --block …`
    nodes   the words of each further `ray start --block …`; {gcs} stands for the head's address
    env     the environment of these commands
    host    the address on which the head's GCS listens
    state   null, or {"path": …, "fields": {…}}: the file that names this head to other commands

Once a job can be submitted, it prints one JSON line, {"url": …}. The head ends with this process,
by SIGTERM or SIGHUP, or when standard input is closed: the CLI holds the other end, so that
`kill -9` of the CLI ends the head too. Only a head whose state file is written stays without it.
After `kill -9` of this process its guard (descendants.py) ends what it left.

Standard input carries the configuration so that no token ever stands in an argument list. `ray
stop` is never used: it kills the heads of other people too.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from raykit import processes, versions
from raykit.local import descendants, folders

STARTING_POLL_SECONDS, POLL_SECONDS = 0.05, 0.2
ADDRESS = re.compile(r"Dashboard head http address: (\S+:(\d+))\n")
STARTED = "This command will now block"


class NotOursError(Exception):
    """The head cannot be used; the text says why."""


class Supervisor:
    """Runs one head and its other nodes until there is a reason to end them.

    folder: the head's folder. config: the JSON object of standard input. log: takes Ray's output.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], log: IO[bytes]) -> None:
        self.folder, self.config, self.log = folder, config, log
        self.tethered, self.ready, self.ended = True, False, False
        self.waiting_nodes: Sequence[Sequence[str]] = config["nodes"]
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGHUP, self._end)

    def hold(self) -> bool:
        """Start the head and wait until there is a reason to end; return True if the head died."""
        head = self._start(self.config["head"])
        # If another node dies, the head continues without it, as a cluster does.
        while head.poll() is None:
            descendants.reap()
            if self.waiting_nodes:
                self._start_next_node()
            if not self.ready:
                self._look_for_address()
            if self.ended or self._tether_cut():
                return False
        return True

    def _start(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return processes.spawn(
            argv,
            env=self.config["env"],
            cwd=self.folder,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=descendants.end_with_parent,
        )

    def _start_next_node(self) -> None:
        """Start one node more once the port of the GCS is known and no other node is starting.

        Each node takes the first name that is free for its raylet's socket, so that two nodes that
        start at once take the same one, and one of them dies.
        """
        port = self._session_file("gcs_server_port_*[0-9a-f]")
        sockets = list(self.folder.glob(f"{folders.RAY_FOLDER}/session_2*/sockets/raylet*"))
        started = 1 + len(self.config["nodes"]) - len(self.waiting_nodes)
        if port and len(sockets) >= started:
            first, *self.waiting_nodes = self.waiting_nodes
            gcs = f"{self.config['host']}:{port.strip()}"
            self._start([word.replace("{gcs}", gcs) for word in first])

    def _look_for_address(self) -> None:
        """Report the head once its dashboard and the agent that starts jobs both listen."""
        address = ADDRESS.search(self._session_file("logs/dashboard.log"))
        if not (address and self._session_file("dashboard_agent_listen_port_*[0-9a-f]")):
            if not address and STARTED in (self.folder / folders.LOG_NAME).read_text(
                "utf-8", "replace"
            ):
                raise NotOursError(f"Ray started without its dashboard: {versions.INSTALL_RAY}")
            return
        if not listens(int(address[2])):
            raise NotOursError(f"port {address[2]} belongs to a process that is not Ray's")
        self.ready = True
        url = f"http://{address[1]}"
        if self.config["state"]:
            self._write_state(url)
            self.tethered = False
        with contextlib.suppress(OSError):  # the CLI may have been killed meanwhile
            os.write(1, json.dumps({"url": url}).encode() + b"\n")

    def _session_file(self, pattern: str) -> str:
        """The text of a file of the head's Ray session; empty if it does not exist yet.

        Ray first writes the file of a port under a name that ends in `.tmp`.
        """
        for path in self.folder.glob(f"{folders.RAY_FOLDER}/session_2*/{pattern}"):
            return path.read_text("utf-8", "replace")
        return ""

    def _write_state(self, url: str) -> None:
        path = Path(self.config["state"]["path"])
        fields = self.config["state"]["fields"]
        mine = {"url": url, "supervisor": os.getpid(), "started": time.time()}
        new = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump({**fields, **mine}, out)
        new.replace(path)

    def _tether_cut(self) -> bool:
        """Pause, then return whether the other end of standard input was closed."""
        pause = POLL_SECONDS if self.ready else STARTING_POLL_SECONDS
        if not self.tethered:
            time.sleep(pause)
            return False
        readable, _, _ = select.select([0], [], [], pause)
        return bool(readable) and os.read(0, 1) == b""

    def _end(self, _signum: int, _frame: FrameType | None) -> None:
        """Only note the signal: it must not interrupt the shutdown."""
        self.ended = True


def main() -> int:
    """Start the head, wait for a reason to end, end all processes. Returns 1 if the head died."""
    for ignored in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_IGN)
    code = descendants.split()
    return supervise() if code is None else code


def supervise() -> int:
    """What `main` says, below its guard."""
    folder = Path(sys.argv[1])
    line = _first_line()
    if not line.endswith(b"\n"):  # the CLI was killed before it sent the configuration
        folders.remove(folder)
        return 1
    config = json.loads(line)
    failed = True
    with (folder / folders.LOG_NAME).open("ab") as log:
        supervisor = Supervisor(folder, config, log)
        try:
            failed = supervisor.hold()
        except NotOursError as error:
            log.write(f"{error}\n".encode())
        finally:
            _forget_state(folder, config["state"])
            descendants.kill()
    # The CLI quotes the log of a head that failed, and removes the folder afterwards.
    if not (failed and supervisor.tethered):
        folders.remove(folder)
    return int(failed)


def listens(port: int) -> bool:
    """Whether a process below this one listens on a TCP port.

    The head's token is sent to this port: another program there must never get it.
    """
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            for connection in child.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def _forget_state(folder: Path, state: Mapping[str, Any] | None) -> None:
    """Remove the state file before the head ends, so that no command uses an ending head.

    If this head was never reported, the file may belong to another head: then it stays.
    """
    if state is None:
        return
    path = Path(state["path"])
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text("utf-8"))["folder"] == str(folder):
            path.unlink()


def _first_line() -> bytes:
    """The first line of standard input, byte by byte: nothing after it may be buffered."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
