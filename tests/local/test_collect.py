"""Evidence of a real local head: by hand, after a failure, and read when the head is gone."""

import json
import tarfile

import pytest

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("gathers_all")]

FAILS = (
    "--entrypoint",
    "--",
    "python",
    "-c",
    "import ray; ray.init(); print(ray.get(ray.put(1))); 1/0",
)
TRACES = """
import ray
ray.init()
@ray.remote
def work(): return 1
print(sum(ray.get([work.remote() for _ in range(3)])))
"""


def unpacked(path):
    with tarfile.open(path) as tar:
        return {
            member.name.removeprefix("raykit-evidence/"): tar.extractfile(member).read()
            for member in tar.getmembers()
        }


def test_a_failed_run_keeps_evidence_of_the_head_that_ended_with_it(cli):
    done = cli("submit", "--on", "local", *FAILS)
    assert done.code == 20, done.err
    run = done.record["id"]
    assert f"evidence kept: raykit runs show {run} --evidence" in done.err
    files = unpacked(done.folder / "evidence.tar.gz")
    assert b"ZeroDivisionError" in files[f"jobs/{run}/driver.log"]
    index = json.loads(files["collected.json"])
    assert index["jobs"] == [run]
    assert index["missing"] == []
    assert any(name.endswith("/raylet.out") for name in files)
    assert any("/gcs_server" in name for name in files)
    assert json.loads(files["ray/version.json"])["ray_version"] == "2.60.0"
    shown = cli("runs", "show", "last", "--evidence")
    assert shown.code == 0, shown.err
    assert all(len(line) <= 80 or line.startswith(" ") for line in shown.out.splitlines())
    assert f"jobs/{run}/driver.log" in shown.out
    log = cli("runs", "show", "last", "--file", f"jobs/{run}/driver.log")
    assert log.out.encode() == files[f"jobs/{run}/driver.log"]
    assert "--evidence" in cli("runs", "show", "last").out


def test_no_evidence_is_kept_where_none_is_wanted_or_nothing_failed(cli):
    failed = cli("submit", "--on", "local", "--no-collect", *FAILS)
    assert failed.code == 20
    assert not (failed.folder / "evidence.tar.gz").exists()
    shown = cli("runs", "show", "last", "--evidence")
    assert shown.code == 7
    assert "there is no evidence of last" in shown.err


def test_evidence_of_a_warm_head_is_read_when_the_head_is_gone(cli, warm):
    warm("kept")
    secret = "hunter2-hunter2"
    words = ["--env", f"MY_API_TOKEN={secret}", "--entrypoint", "--", "python", "-c", TRACES]
    run = cli("submit", "--on", "kept", *words)
    assert run.code == 0, run.err
    noisy = [
        "--env",
        f"MY_API_TOKEN={secret}",
        "--entrypoint",
        "--",
        "sh",
        "-c",
        "echo $MY_API_TOKEN",
    ]
    assert cli("submit", "--on", "kept", *noisy).code == 0
    done = cli("collect", "kept", "-o", "json")
    assert done.code == 0, done.err
    collected = done.envelope["data"]
    assert [line.partition(":")[2] for line in collected["missing"]] == [
        " its driver has not joined Ray"
    ]
    down = cli("down", "kept", "--on", "local")
    assert down.code == 0
    (before_end,) = [line for line in down.err.splitlines() if "evidence kept" in line]
    assert "timeline.json" in cli("runs", "show", before_end.split()[-1]).out
    files = unpacked(collected["path"])
    assert not any(secret.encode() in content for content in files.values())
    name = json.loads(files["ray/jobs.json"])[-1]["submission_id"]
    rows = json.loads(files[f"jobs/{name}/tasks.json"])["data"]["result"]["result"]
    assert [row["name"] for row in rows].count("work") == 3
    timeline = json.loads(files[f"jobs/{name}/timeline.json"])
    assert {event["ph"] for event in timeline} <= {"X", "M"}
    shown = cli("runs", "show", collected["id"])
    assert shown.code == 0, shown.err
    assert "timeline.json" in shown.out
    of_run = cli("runs", "show", name, "--evidence")
    assert of_run.code == 0, of_run.err
    assert before_end.split()[-1] in of_run.out, "the newest evidence that has the job"


def test_collect_without_a_head_says_what_to_do(cli):
    done = cli("collect")
    assert done.code == 6
    assert "there is nothing to collect from" in done.err
    twice = cli("collect", "a", "--on", "b")
    assert twice.code == 2


def test_an_archive_where_nothing_can_be_written_is_an_error_and_a_failed_run_stays_one(
    cli, warm, tmp_path
):
    warm("full")
    before = set(cli.runs.glob("*"))
    done = cli("collect", "full", "--output-file", tmp_path / "absent" / "x.tar.gz")
    assert (done.code, "Traceback" in done.err) == (0, False), done.err
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = cli("collect", "full", "--output-file", blocked / "x.tar.gz")
    assert done.code == 7, done.err
    assert cli("down", "full", "--on", "local", "--no-collect").code == 0
    assert set(cli.runs.glob("*")) == before
