"""What a head tells: jobs first, the telling logs first, and every gap named."""

import time

import pytest

from raykit import redaction
from raykit.measure.keeping.evidence import Collected, Collection
from raykit.submission.evidence import head, logs
from raykit.submission.evidence.logs import ranked


def gathered(api, *wanted, seconds=60.0):
    into = Collection(time.monotonic() + seconds)
    head.gather(api, wanted, into)
    return into.close(Nowhere(), Collected("x", 0.0, "", 0.0, {}))


class Nowhere:
    def write(self, data):
        pass

    def flush(self):
        pass


def test_a_head_that_is_gone_is_one_line(ray):
    ray.refuse["/api/version"] = (503, "no endpoints")
    collected = gathered(ray.api())
    assert collected.files == []
    (line,) = collected.missing
    assert line.startswith("the head: ")


def test_what_fails_is_named_and_the_rest_is_kept(ray):
    ray.job(id="job-1")
    ray.refuse["/api/v0/actors"] = (500, "broken")
    ray.refuse["/api/v0/tasks/timeline"] = (200, "no json")
    collected = gathered(ray.api(), "job-1")
    names = [file["name"] for file in collected.files]
    assert {"ray/version.json", "ray/jobs.json", "ray/nodes.json"} <= set(names)
    assert "jobs/job-1/tasks.json" in names
    missing = {line.partition(":")[0] for line in collected.missing}
    assert {"ray/actors.json", "jobs/job-1/timeline.json"} <= missing
    assert collected.jobs == ["job-1"]


def test_without_time_nothing_is_asked_but_everything_is_named(ray):
    ray.job(id="job-1")
    collected = gathered(ray.api(), seconds=-1.0)
    assert all("no time was left" in line for line in collected.missing if "ray/" in line)
    assert ray.asked("/api/v0/actors") == 0


def test_the_newest_jobs_and_all_that_are_wanted_are_chosen(ray):
    for number in range(14):
        ray.job(id=f"job-{number}")
    ray.job(id="../../etc")
    collected = gathered(ray.api(), "job-13")
    assert collected.jobs[0] == "job-13"
    assert len(collected.jobs) == 10
    assert "../../etc" not in collected.jobs


def test_secret_variables_of_jobs_are_learned(ray, monkeypatch):
    job = ray.job(id="job-1")
    env = {"runtime_env": {"env_vars": {"HF_TOKEN": "hf-0123456789", "MODE": "fast-and-loose"}}}
    details = job.details()
    monkeypatch.setattr(type(job), "details", lambda self: details | env)
    gathered(ray.api())
    assert redaction.redacted("hf-0123456789 fast-and-loose") == "[redacted] fast-and-loose"


def test_a_log_that_trickles_is_kept_as_far_as_it_came(ray):
    job = ray.job(id="job-1", log=b"one\ntwo\nhalf")
    api = ray.api()
    into = Collection(time.monotonic() + 60)
    api.transport.limit_answers(-1.0)
    logs._take(api, job.node, "job-driver-job-1.log", "jobs/job-1/driver.log", into)
    collected = into.close(Nowhere(), Collected("x", 0.0, "", 0.0, {}))
    assert collected.files == [{"name": "jobs/job-1/driver.log", "bytes": 8}]
    assert collected.cut == [
        {"name": "jobs/job-1/driver.log", "why": "no time was left for the rest"}
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["worker-a-01000000-7.out", "raylet.out"], ["raylet.out", "worker-a-01000000-7.out"]),
        (
            ["worker-a-02000000-7.err", "worker-b-01000000-7.err"],
            ["worker-b-01000000-7.err", "worker-a-02000000-7.err"],
        ),
        (["events/", "x.log"], ["x.log"]),
    ],
)
def test_telling_files_come_first(names, expected):
    assert ranked(names, ["01000000"]) == expected
