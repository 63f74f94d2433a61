"""Many submissions at once on one warm head."""

import hashlib
import json
import os

import pytest

pytestmark = pytest.mark.local
SOAK = bool(os.environ.get("RAYKIT_SOAK"))
MANY = 50 if SOAK else 5


def test_many_submits_at_once_are_as_many_jobs_and_as_many_complete_records(cli, warm):
    """Slow because only real processes and a real head show what they do to each other."""
    warm("many")
    names = [f"many-{number}" for number in range(MANY)]
    children = {
        name: cli.start("submit", "--on", "many", "--id", name, "--entrypoint", "--", "echo", name)
        for name in names
    }
    said = {name: child.communicate(timeout=500) for name, child in children.items()}
    codes = {child.returncode for child in children.values()}
    assert codes == {0}, [err for _, err in said.values()]
    assert {name: out.decode() for name, (out, _) in said.items()} == {
        name: f"{name}\n" for name in names
    }

    jobs = json.loads(cli("ps", "--on", "many", "-o", "json").out)["data"]
    assert sorted((job["submission_id"], job["status"]) for job in jobs) == sorted(
        (name, "SUCCEEDED") for name in names
    )
    assert sorted(_complete(path) for path in cli.runs.iterdir()) == sorted(names)


def _complete(folder):
    """The submission id of a run whose record has all that a run leaves."""
    record = json.loads((folder / "record.json").read_text("utf-8"))
    log = (folder / "driver.log").read_bytes()
    name = record["submission_id"]
    assert (record["status"], record["exit_code"], record["cause"]) == ("SUCCEEDED", 0, None)
    assert (record["driver_exit_code"], record["target"]["cluster"]) == (0, "many")
    assert name.encode() in log.splitlines()
    found = {key: record["log"][key] for key in ("source", "bytes", "sha256")}
    digest = hashlib.sha256(log).hexdigest()
    assert found == {"source": "file", "bytes": len(log), "sha256": digest}
    phases = {phase["name"] for phase in record["phases"]}
    # A job this short may have ended before its log could be read.
    assert phases in ({"submit", "driver-start", "run", "end-seen"}, {"submit", "job", "end-seen"})
    return name
