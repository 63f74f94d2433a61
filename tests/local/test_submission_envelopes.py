"""`-o json` through the life of a warm head: each command prints one envelope on stdout."""

import pytest

pytestmark = pytest.mark.local
KEYS = ["schema", "command", "data", "error"]


def test_every_command_of_a_warm_heads_life_prints_exactly_one_envelope(cli, warm):
    """One test, since each command needs what those before it left."""

    def told(*words, code=0):
        done = cli(*words, "-o", "json")
        envelope = done.envelope
        assert (done.code, list(envelope)) == (code, KEYS), done.out
        assert (envelope["error"] is None) == (code == 0)
        return envelope["command"], envelope["data"]

    warm("life")
    command, head = told("up", "--on", "local", "--name", "life")
    assert (command, head["name"], head["nodes"]) == ("up", "life", 1)
    command, found = told("status")
    assert (command, [row["name"] for row in found["local"]]) == ("status", ["life"])
    for name, status, code in [("good", 0, 0), ("bad", 3, 20)]:
        words = ("--on", "life", "--id", name, "--entrypoint")
        done = cli("submit", *words, "-o", "json", "--", "sh", "-c", f"echo hello; exit {status}")
        assert (done.code, list(done.envelope)) == (code, KEYS)
        assert done.envelope["data"]["submission_id"] == name
    command, jobs = told("ps")
    assert command == "ps"
    assert {job["submission_id"]: job["status"] for job in jobs} == {
        "good": "SUCCEEDED",
        "bad": "FAILED",
    }
    command, stopped = told("stop", "good")
    assert (command, stopped["confirmed"]) == ("stop", True)
    assert told("attach", "good")[0] == "attach"
    assert told("attach", "bad", code=20)[0] == "attach"
    command, runs = told("runs")
    assert (command, len(runs)) == ("runs", 2)
    assert told("runs", "show", "good")[0] == "runs show"
    command, gone = told("down", "life", "--on", "local")
    assert (command, gone["name"]) == ("down", "life")
    assert told("down", "life", "--on", "local", code=4)[0] == "down"
    assert told("ps", code=6)[0] == "ps"
