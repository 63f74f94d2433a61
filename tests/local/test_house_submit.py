"""`raykit submit fib` on a local head of its own: the whole way, and nothing left behind."""

import hashlib
import json
import os
import re
import socket
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.local
SMALL = ("--", "--size", "2000", "--repeat", "1")


def listening(pids):
    """(address, port) of every TCP socket that these processes listen on."""
    psutil = pytest.importorskip("psutil")
    found = set()
    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        found |= {
            (conn.laddr.ip, conn.laddr.port)
            for conn in connections
            if conn.status == psutil.CONN_LISTEN
        }
    return found


@pytest.mark.usefixtures("waits_for_tasks")
def test_fib_runs_on_a_head_of_its_own_and_leaves_a_whole_record_and_nothing_else(
    cli, heads, argument_lists, processes, soon
):
    before = heads()
    hostile = {
        "RAY_ADDRESS": "http://127.0.0.1:1",
        "RAY_API_SERVER_ADDRESS": "http://127.0.0.1:1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_worker_niceness": "19",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "PYTHONPATH": str(cli.cwd),
    }
    # The user's own folder of that name must not shadow ours.
    (cli.cwd / "jobs").mkdir()
    for name in ("__init__", "fib", "timing"):
        (cli.cwd / "jobs" / f"{name}.py").write_text("raise SystemExit('shadowed')\n", "utf-8")
    child = cli.start("submit", "fib", "--on", "local", *SMALL, env=hostile)
    (folder,) = soon(lambda: heads() - before)
    token = soon(lambda: _token(pid for pid, _ in processes(str(folder))))
    seen_words, seen_sockets = set(), set()
    while child.poll() is None:
        seen_words |= set(argument_lists())
        seen_sockets |= listening(pid for pid, _ in processes(token))
        time.sleep(0.3)
    out, err = (stream.decode() for stream in child.communicate())

    assert (child.returncode, err.splitlines()[0]) == (
        0,
        "running on a local Ray head of its own (--on local)",
    )
    assert out.splitlines()[0].startswith("Sequence size: 2000, Local execution time: ")
    assert out.splitlines()[1].startswith("Sequence size: 2000, Remote execution time: ")
    assert '{"raykit"' not in out + err
    assert "raykit runs show" in err

    assert len(seen_sockets) > 8
    assert {ip for ip, _ in seen_sockets} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert not [words for words in seen_words if token in words]

    assert heads() <= before
    assert processes(str(folder)) == processes(token) == []
    written = b"".join(path.read_bytes() for path in cli.runs.rglob("*") if path.is_file())
    assert token.encode() not in written
    _is_complete(cli.runs)


def _token(pids):
    """The head's token, from the environment of its processes: only their user can read it."""
    for pid in pids:
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        found = re.search(rb"RAY_AUTH_TOKEN=([0-9a-f]{64})", environ)
        if found and found.group(1) != b"0" * 64:
            return found.group(1).decode()
    return None


def _is_complete(runs):
    (path,) = runs.glob("*/record.json")
    record = json.loads(path.read_text("utf-8"))
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "driver.log",
        "events.jsonl",
        "record.json",
    ]
    assert (record["schema"], record["status"], record["exit_code"]) == (1, "SUCCEEDED", 0)
    assert record["job"]["name"] == "fib"
    assert record["job"]["arguments"] == ["--size", "2000", "--repeat", "1"]
    assert record["target"]["kind"] == "local"
    assert {"raykit", "ray", "python"} <= set(record["versions"])
    assert record["machine"]["cpu_count"] == os.cpu_count()
    phases = {phase["name"]: phase for phase in record["phases"]}
    assert {"ray-start", "submit", "driver-start", "first-task", "run", "end-seen"} <= set(phases)
    for phase in phases.values():
        assert phase["source"] in {"raykit", "job", "ray job", "ray tasks"}
        assert phase["clock"] in {"monotonic", "wall"}
        assert 0 < phase["resolution"] <= 0.1
        assert phase["seconds"] >= 0
    assert record["driver_exit_code"] == 0
    assert [span["name"] for span in record["spans"]] == ["warm-up", "local", "tasks"]
    assert record["results"][0]["data"]["agree"] is True
    assert record["tasks"]["count"] >= record["results"][0]["data"]["tasks"]
    assert record["tasks"]["task_cpus"] == record["results"][0]["data"]["p"]
    log = (path.parent / "driver.log").read_bytes()
    assert record["log"] == {
        "source": "file",
        "reconnects": 0,
        "bytes": len(log),
        "sha256": hashlib.sha256(log).hexdigest(),
    }
    events = (path.parent / "events.jsonl").read_text("utf-8").splitlines()
    kinds = [json.loads(line)["event"] for line in events]
    assert kinds == ["start", "span", "span", "span", "result"]


def test_two_submissions_at_the_same_time_both_succeed(cli, heads):
    before = heads()
    children = [cli.start("submit", "fib", "--on", "local", *SMALL) for _ in range(2)]
    ends = [(child.communicate(timeout=240), child.returncode) for child in children]
    assert [code for _, code in ends] == [0, 0], ends
    records = [json.loads(path.read_text("utf-8")) for path in cli.runs.glob("*/record.json")]
    assert [record["status"] for record in records] == ["SUCCEEDED", "SUCCEEDED"]
    assert len({record["target"]["url"] for record in records}) == 2
    assert heads() <= before


def test_runs_that_cannot_be_written_are_refused_before_any_head_starts(cli, heads):
    before = heads()
    (cli.cwd / "file").write_text("")
    done = cli("submit", "fib", env={"RAYKIT_RUNS": str(cli.cwd / "file" / "runs")})
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines()[0].startswith("error: run records cannot be written to ")
    assert done.err.splitlines()[-1] == "next: set RAYKIT_RUNS to a folder that can be written"
    assert heads() <= before


def test_an_unknown_job_is_refused_with_the_nearest_before_any_head_starts(cli, heads):
    before = heads()
    done = cli("submit", "fub")
    assert (done.code, done.out) == (2, "")
    assert "nearest: fib" in done.err
    assert "gsod" in done.err
    assert heads() <= before


def test_an_address_where_nothing_answers_is_refused_with_6(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = cli("submit", "fib", "--on", f"http://127.0.0.1:{port}")
    assert done.code == 6
    assert f"no answer from http://127.0.0.1:{port}" in done.err
