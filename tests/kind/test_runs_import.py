"""Jobs that were applied from git leave their results in the cluster; raykit finds them there."""

import dataclasses
import json

import pytest

from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

WORK = "--size 2000 --repeat 2 --tasks 4"


@pytest.fixture
def mine(lab, tmp_path):
    """The lab with a folder of runs of this test alone."""
    return dataclasses.replace(lab, env=lab.env | {"RAYKIT_RUNS": str(tmp_path / "runs")})


@pytest.fixture(scope="module")
def namespace(lab):
    """One namespace for the tests of this file: they import the same job, each for itself."""
    with life.restricted_namespace(lab, "runs-import") as name:
        yield name


@pytest.fixture(scope="module")
def applied(lab, namespace, tmp_path_factory, soon):
    """A cluster and a RayJob as git would apply them; the RayJob, once it has ended."""
    path = life.write_spec(tmp_path_factory.mktemp("import"), "from-git")
    words = ("render", "-f", path, "--namespace", namespace, "--job", f"fib {WORK}")
    lab.kubectl("apply", "--server-side", "-f", "-", stdin=lab.raykit(*words).stdout)

    def ended():
        (job,) = lab.objects("rayjobs", "-n", namespace)
        state = (job.get("status") or {}).get("jobDeploymentStatus")
        return job if state in {"Complete", "Failed"} else None

    return soon(ended, 280)


def test_a_job_from_git_is_imported_once_shown_and_compared(mine, namespace, applied):
    assert applied["status"]["jobStatus"] == "SUCCEEDED", json.dumps(applied["status"])
    words = ("runs", "import", "--from-cluster", "--context", mine.context, "-n", namespace)
    (row,) = mine.json(*words)
    assert (row["outcome"], row["log"]) == ("new", "kept")
    record = mine.json("runs", "show", row["run"])
    assert (record["status"], record["exit_code"]) == ("SUCCEEDED", 0)
    assert record["submission_id"] == applied["status"]["jobId"]
    assert record["job"]["arguments"] == WORK.split()
    assert record["start"]["job"] == "fib"
    assert [span["arm"] for span in record["spans"] if "arm" in span] == ["local", "tasks"] * 2
    assert record["results"][0]["work"]["size"] == 2000
    assert {phase["name"] for phase in record["phases"]} == {"submit", "job"}
    assert record["cluster"]["pods"]
    assert record["notes"] == ["its cluster was looked at after its end"]
    assert "Remote execution time" in mine.raykit("runs", "show", row["run"], "--log").stdout

    (again,) = mine.json(*words)
    assert (again["outcome"], again["run"]) == ("here already", row["run"])
    assert len(mine.json("runs")) == 1

    mine.raykit("submit", "fib", "--on", f"{namespace}/from-git", "--", *WORK.split())
    submitted = mine.json("runs")[-1]["id"]
    assert submitted != row["run"]
    compared = mine.json("compare", row["run"], submitted)
    assert [run["id"] for run in compared["runs"]] == [row["run"], submitted]
    assert any(arm["over_baseline"] for arm in compared["arms"])
    trace = json.loads(mine.raykit("runs", "export", row["run"], "--as", "trace").stdout)
    assert {"local", "tasks"} <= {event["name"] for event in trace["traceEvents"]}


def test_a_log_that_is_gone_is_lost_and_the_status_is_still_kuberays(mine, namespace, applied):
    mine.kubectl("delete", "pods", "-n", namespace, "-l", f"job-name={applied['metadata']['name']}")
    (row,) = mine.json(
        "runs", "import", "--from-cluster", "--context", mine.context, "-n", namespace
    )
    assert (row["outcome"], row["log"]) == ("new", "lost")
    record = mine.json("runs", "show", row["run"])
    assert (record["status"], record["spans"]) == ("SUCCEEDED", [])
    assert "its log is lost: the submitter pod is gone" in record["notes"]
