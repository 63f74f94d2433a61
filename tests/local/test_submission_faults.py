"""A bad line between raykit and a real head: the right exit code and every byte of the log."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from raykit.local import folders

pytestmark = pytest.mark.local
SOAK = bool(os.environ.get("RAYKIT_SOAK"))
SEEDS = range(200 if SOAK else 20)
AT_ONCE = 4

# Writes what a log must survive: bytes that are no UTF-8, CR, CRLF, the token, lines of any
# length; pauses, so that it is followed while it grows; ends as the seed says. With the name of a
# file it writes the last of its pieces only once that file is there.
NOISE = r"""
import os, random, sys, time
seed, pieces, ending = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
chance = random.Random(seed)
token = os.environ["RAY_AUTH_TOKEN"].encode()
for number in range(pieces):
    while number == pieces - 1 and not all(map(os.path.exists, sys.argv[4:])):
        time.sleep(0.05)
    body = bytes(chance.randrange(256) for _ in range(chance.choice([0, 3, 40, 900])))
    parts = [b"%d %b" % (number, body), b"\r50 %\r100 %", token, b"a" * chance.choice([1, 30000])]
    os.write(1, chance.choice(parts) + chance.choice([b"\n", b"\r\n", b""]))
    time.sleep(chance.choice([0, 0, 0.05]))
if ending == "9":
    os.write(1, b'\n{"raykit":1,"event":"error","time":1.0,"cause":"data","message":"bad"}\n')
sys.exit(3 if ending == "20" else 0)
"""


class CuttingProxy:
    """A TCP proxy that fails connections as its seed says, each on its answer's way back.

    What is asked always arrives whole, so that the right end is known; the answer may be cut,
    reset, truncated, delayed, or hang and then break; never more than four in a row, since raykit
    gives up after six before it has submitted anything. `healthy` switches all that off.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.chance, self.healthy = port, random.Random(seed), False
        self.broken = self.in_a_row = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                kinds = ["none", "cut", "reset", "truncate", "delay", "hang"]
                fault = self.chance.choices(kinds, [6, 3, 3, 3, 2, 1])[0]
                after = self.chance.choice([0, 1, 30, 200, 700, 5000, 60_000])
                pace = self.chance.choice([0.01, 0.05, 0.2])
                fault = "none" if self.healthy or self.in_a_row >= 4 else fault
                arguments = (client, fault, after, pace)
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, client, fault, after, pace):
        try:
            head = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._ask, args=(client, head), daemon=True).start()
        with contextlib.suppress(OSError):
            self._answer(client, head, fault, after, pace)
        for end in (client, head):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _ask(self, client, head):
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                head.sendall(piece)
            head.shutdown(socket.SHUT_WR)

    def _answer(self, client, head, fault, after, pace):
        sent = 0
        while piece := head.recv(4096):
            if fault == "delay":
                time.sleep(pace)
            elif fault != "none" and sent + len(piece) > after:
                self.broken += 1
                self.in_a_row += 1
                client.sendall(piece[: after - sent])
                self._break(client, fault)
                return
            client.sendall(piece)
            sent += len(piece)
        self.in_a_row = 0

    def _break(self, client, fault):
        if fault == "hang":
            time.sleep(1.5)
        if fault in ("reset", "hang"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault == "truncate":
            client.shutdown(socket.SHUT_WR)


@pytest.fixture
def bad_line(head):
    """`bad_line(seed)`: a proxy to the head that fails as the seed says."""
    made = []

    def make(seed):
        made.append(CuttingProxy(urlsplit(head.url).port, seed))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def on_disk(head):
    """`on_disk(id)`: the driver log as the head has it, the token replaced as raykit does."""

    def read(submission_id):
        ray = head.folder / folders.RAY_FOLDER
        (path,) = ray.glob(f"session_2*/logs/job-driver-{submission_id}.log")
        return path.read_bytes().replace(head.token.encode(), b"[redacted]")

    return read


def noise(seed, pieces, ending="0", until=()):
    """until: the file without which the job does not end."""
    return ["--entrypoint", "--", "python", "-c", NOISE, seed, pieces, ending, *until]


def printed(head, seed, pieces, ending):
    """What that job prints, the token replaced: its seed says it, whatever the head still has."""
    done = subprocess.run(
        [sys.executable, "-c", NOISE, str(seed), str(pieces), ending],
        env=os.environ | {"RAY_AUTH_TOKEN": head.token},
        capture_output=True,
    )
    return done.stdout.replace(head.token.encode(), b"[redacted]")


def without_rays_own(log):
    """The log without Ray's own lines: on a busy machine they come behind a job's start."""
    log = re.sub(rb"[^\n]*-- Runtime env is setting up\.\n", b"", log, count=1)
    return re.sub(rb"Running entrypoint for job .*? 60 \d+\n", b"", log, count=1, flags=re.DOTALL)


def test_every_run_over_a_bad_line_ends_right_and_with_the_whole_log(on_head, head, bad_line):
    """Slow because each of its runs is a real job; a fake head would not show what Ray does."""

    def one(seed):
        proxy = bad_line(seed)
        ending = random.Random(seed).choice(["0", "0", "20", "9"])
        submission_id = f"line-{seed}"
        done = on_head(
            *("submit", "--on", proxy.url, "--id", submission_id, "-o", "json"),
            *noise(seed, 60, ending),
        )
        proxy.close()
        record = json.loads(done.out)["data"]
        if record is None:
            return f"seed {seed}: exit {done.code}: {done.out}"
        saved = (on_head.runs / record["id"] / "driver.log").read_bytes()
        if (done.code, record["log"]["source"]) != (int(ending), "file"):
            return f"seed {seed}: {done.code}, not {ending}; {record['log']}; {done.out[-600:]}"
        rest, expected = without_rays_own(saved), printed(head, seed, 60, ending)
        if rest != expected:
            return f"seed {seed}: {len(rest)} bytes, not {len(expected)}, but for Ray's own lines"
        if record["status"] != ("FAILED" if ending == "20" else "SUCCEEDED"):
            return f"seed {seed}: {record['status']}"
        return proxy.broken

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(one, SEEDS))
    wrong = [result for result in results if isinstance(result, str)]
    assert wrong == []
    assert sum(results) > len(SEEDS)


def test_after_kill_9_attach_completes_the_record(on_head, head, on_disk, soon):
    go = on_head.cwd / "go"
    child = on_head.start("submit", "--id", "killed-1", *noise(1, 150, until=[go]))
    (log,) = soon(lambda: [path for path in on_head.runs.glob("*/driver.log") if _size(path) > 900])
    child.kill()
    child.communicate()
    before = json.loads(log.with_name("record.json").read_text("utf-8"))
    assert before["status"] == "UNFINISHED"

    go.touch()
    done = on_head("attach", "killed-1", "-o", "json")
    assert (done.code, done.record["status"]) == (0, "SUCCEEDED")
    assert done.record["id"] == before["id"]
    assert log.read_bytes() == on_disk("killed-1")
    assert done.record["log"]["source"] == "file"
    # Nobody saw when the driver began: no time is given for that, nor for the end's being seen
    # where the job had ended before attach could ask twice.
    phases = {phase["name"] for phase in done.record["phases"]}
    assert phases - {"end-seen"} == {"reach", "submit", "job"}


def test_the_same_command_after_kill_9_attaches_instead_of_running_twice(on_head, head, soon):
    child = on_head.start("submit", "--id", "killed-2", *noise(2, 100))
    soon(lambda: [path for path in on_head.runs.glob("*/driver.log") if _size(path) > 900])
    child.kill()
    child.communicate()
    done = on_head("submit", "--id", "killed-2", *noise(2, 100))
    assert done.code == 0
    assert "killed-2 was submitted before: attaching" in done.err
    rows = json.loads(on_head("ps", "-o", "json").out)["data"]
    assert [row["submission_id"] for row in rows].count("killed-2") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_detaches_and_the_job_goes_on(on_head, head, soon, on_disk, number):
    name = f"detached-{int(number)}"
    go = on_head.cwd / "go"
    child = on_head.start("submit", "--id", name, *noise(3, 150, until=[go]))
    soon(lambda: [path for path in on_head.runs.glob("*/driver.log") if _size(path) > 900])
    child.send_signal(number)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 130
    assert f"interrupted: the job {name} goes on" in err.decode()
    assert f"raykit attach {name} follows it; raykit stop {name} ends it" in err.decode()
    go.touch()
    done = on_head("attach", name)
    assert (done.code, done.record["status"], done.record["exit_code"]) == (0, "SUCCEEDED", 0)
    assert (done.folder / "driver.log").read_bytes() == on_disk(name)


@pytest.mark.usefixtures("waits_for_the_stop")
def test_two_interrupts_leave_a_job_that_runs(on_head, head, soon):
    never = on_head.cwd / "never"
    child = on_head.start("submit", "--id", "twice", *noise(4, 300, until=[never]))
    soon(lambda: [path for path in on_head.runs.glob("*/driver.log") if _size(path) > 900])
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=240)
    assert child.returncode == 130
    rows = json.loads(on_head("ps", "-o", "json").out)["data"]
    assert [row["status"] for row in rows if row["submission_id"] == "twice"] == ["RUNNING"]
    assert on_head("stop", "twice").code == 0


@pytest.mark.usefixtures("waits_for_the_stop")
def test_stop_on_interrupt_stops_the_job_and_saves_its_log(on_head, head, soon, on_disk):
    child = on_head.start("submit", "--id", "for-ci", "--stop-on-interrupt", *noise(5, 9000))
    soon(lambda: [path for path in on_head.runs.glob("*/driver.log") if _size(path) > 900])
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 130
    assert "the job for-ci was stopped and its log saved" in err.decode()
    (log,) = on_head.runs.glob("*/driver.log")
    assert log.read_bytes() == on_disk("for-ci")
    record = json.loads(log.with_name("record.json").read_text("utf-8"))
    assert record["status"] == "STOPPED"


def test_what_never_reached_the_head_is_said_and_not_sent_again(on_head, head):
    """A line that swallows the submission: raykit asks, learns that nothing came, and ends."""
    swallowed = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = urlsplit(head.url).port

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=relay, args=(client,), daemon=True).start()

    def relay(client):
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", port)) as far,
        ):
            threading.Thread(target=answer, args=(far, client), daemon=True).start()
            while asked := client.recv(65536):
                if asked.startswith(b"POST"):
                    swallowed.append(asked)
                    # The other thread reads both until they are shut.
                    far.shutdown(socket.SHUT_RDWR)
                    client.shutdown(socket.SHUT_RDWR)
                    return
                far.sendall(asked)

    def answer(far, client):
        """However many pieces an answer comes in."""
        with contextlib.suppress(OSError):
            while piece := far.recv(65536):
                client.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = on_head("submit", "--on", url, "--id", "swallowed", "--entrypoint", "--", "true")
    listener.close()
    assert (done.code, len(swallowed)) == (6, 1)
    assert done.record["status"] == "NOT_SUBMITTED"
    rows = json.loads(on_head("ps", "-o", "json").out)["data"]
    assert "swallowed" not in [row["submission_id"] for row in rows]


def _size(path):
    return path.stat().st_size
