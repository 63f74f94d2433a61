"""`-o json` is a contract: exactly one envelope on stdout, of errors too."""

import json
import re
import signal

import pytest
import typer.main

from raykit.app import main as door
from raykit.app.commands.measuring import runs as runs_command
from raykit.measure.records import RunsFolder

ERROR_KEYS = ["kind", "exit_code", "what", "evidence", "next", "also"]
KEYS = ["schema", "command", "data", "error"]
BAD_SPEC = "name: x\nheadd: 1\n"
GOOD_SPEC = "name: x\nhead:\n  taskCpus: 1\n  cpu: 1\n  memory: 4Gi\n"


@pytest.fixture
def raykit(tmp_path, monkeypatch, capsys, make_record):
    """Run a command in this process: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("RAYKIT_ON", raising=False)
    (tmp_path / "bad.yaml").write_text(BAD_SPEC, "utf-8")
    (tmp_path / "good.yaml").write_text(GOOD_SPEC, "utf-8")
    runs = RunsFolder(tmp_path / "runs")
    for number in (1, 2):
        name = f"2026010{number}-000000-fib-aaaa"
        span = {"name": "tasks", "arm": "tasks", "start": 1.0, "seconds": 1.0}
        result = {"data": {"p": 2, "size": 9}}
        runs.write(
            make_record(
                id=name,
                submission_id=name,
                status="SUCCEEDED",
                spans=[span],
                results=[result],
                exit_code=0,
                ended=1795477379.0,
            )
        )
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            door.main(words)
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    yield run
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("words", "command", "code"),
    [
        (("runs",), "runs", 0),
        (("runs", "show", "last"), "runs show", 0),
        (("runs", "show", "nope"), "runs show", 7),
        (("compare", "20260101-000000-fib-aaaa", "20260102-000000-fib-aaaa"), "compare", 0),
        (("compare", "20260101-000000-fib-aaaa", "nope"), "compare", 7),
        (("validate", "-f", "good.yaml"), "validate", 0),
        (("validate", "-f", "bad.yaml"), "validate", 3),
        (("submit", "fub"), "submit", 2),
        (("submit",), "submit", 2),
        (("submit", "fib", "--on", "http://127.0.0.1:1"), "submit", 6),
        (("ps", "--on", "http://127.0.0.1:1"), "ps", 6),
        (("stop", "x", "--on", "http://127.0.0.1:1"), "stop", 6),
        (("attach", "x", "--on", "http://127.0.0.1:1"), "attach", 6),
        (("ps", "--on", "nowhere"), "ps", 4),
        (("runs", "--no-such-option"), "runs", 2),
        (("render", "-f", "good.yaml"), "render", 0),
        (("render", "-f", "bad.yaml"), "render", 3),
        (("data", "list", "--data", "."), "data list", 0),
        (("data", "verify", "1980", "--data", "."), "data verify", 9),
        (("status",), "status", 0),
        (("doctor",), "doctor", 0),
        (("doctor", "--context", "absent"), "doctor", 4),
        (("up", "--on", "elsewhere"), "up", 2),
        (("up", "--on", "local", "--name", "Not a name"), "up", 2),
        (("down", "nobody", "--on", "local"), "down", 4),
    ],
)
def test_every_command_prints_exactly_one_envelope(raykit, words, command, code):
    exit_code, out, _ = raykit(*words, "-o", "json")
    envelope = json.loads(out)
    assert (exit_code, list(envelope), envelope["command"]) == (code, KEYS, command)
    assert envelope["schema"] == 1
    if code == 0:
        assert envelope["error"] is None
        assert envelope["data"]
        return
    assert list(envelope["error"]) == ERROR_KEYS
    assert envelope["error"]["exit_code"] == code
    assert envelope["error"]["what"]
    assert envelope["error"]["next"]


def test_a_bug_is_told_as_json_and_as_a_traceback(raykit, monkeypatch, capsys):
    def fail():
        raise ZeroDivisionError("no")

    monkeypatch.setattr(runs_command, "runs_folder", fail)
    with pytest.raises(ZeroDivisionError):
        door.main(["runs", "-o", "json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["exit_code"], error["evidence"]) == (1, ["ZeroDivisionError: no"])


def test_an_interrupt_outside_of_any_job_exits_130(raykit, monkeypatch):
    def interrupted():
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(runs_command, "runs_folder", interrupted)
    code, out, err = raykit("runs")
    assert (code, out, err) == (130, "", "error: interrupted\n")


def test_words_behind_the_dashes_are_the_jobs_and_ask_for_no_json(raykit):
    code, out, err = raykit("submit", "fub", "--", "-o", "json")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no job 'fub'")


def test_a_list_of_runs_is_a_table(raykit):
    code, out, _ = raykit("runs")
    assert code == 0
    assert out == (
        "ID                        STATUS     ON     SECONDS  JOB\n"
        "20260101-000000-fib-aaaa  SUCCEEDED  local     10.0  fib --size 9\n"
        "20260102-000000-fib-aaaa  SUCCEEDED  local     10.0  fib --size 9\n"
    )


def test_a_record_cut_short_is_listed_as_unreadable_and_refused_when_shown(raykit, tmp_path):
    path = tmp_path / "runs" / "20260102-000000-fib-aaaa" / "record.json"
    path.write_bytes(path.read_bytes()[:100])
    code, out, _ = raykit("runs")
    assert code == 0
    assert "20260102-000000-fib-aaaa  UNREADABLE" in out
    code, out, err = raykit("runs", "show", "last")
    assert (code, out) == (7, "")
    assert err.splitlines()[0] == f"error: the run record {path} cannot be read"


def test_runs_show_has_everything_one_asks_of_a_record_first(raykit):
    code, out, _ = raykit("runs", "show", "last")
    assert code == 0
    assert out.splitlines()[:6] == [
        "run      20260102-000000-fib-aaaa",
        "job      fib --size 9",
        "status   SUCCEEDED (exit 0)",
        "on       running here",
        "Ray      2.60.0",
        "machine  a CPU, 2 CPUs",
    ]
    assert re.search(r"^tasks +1\.000$", out, re.M)
    assert "  size: 9" in out


def commands(command, names=()):
    yield names
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*names, name))


@pytest.mark.parametrize("names", [*commands(typer.main.get_command(door.app))], ids=" ".join)
def test_the_help_of_every_command_fits_80_columns(raykit, names):
    code, out, _ = raykit(*names, "--help")
    assert code == 0
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_help_reads_like_a_manual_of_80_columns(raykit):
    code, out, _ = raykit("--help")
    assert code == 0
    assert "raykit submit fib" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("address", [None, "http://10.0.0.1:8265"])
def test_the_address_of_rays_own_commands_is_said_to_be_unused(raykit, monkeypatch, address):
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    else:
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
    code, _, said = raykit("submit", "fib", "--on", "http://127.0.0.1:1")
    assert code == 6
    assert ("RAY_ADDRESS is set, and not used" in said) == bool(address)
