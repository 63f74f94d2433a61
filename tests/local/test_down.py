"""When a real head is idle, that `down` asks while a job runs there, and what the job is then."""

import pytest

from raykit.endpoint import Endpoint
from raykit.flows.clusters import work
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

pytestmark = pytest.mark.local

TASKS = """
import ray

@ray.remote
class Counter:
    def add(self):
        return 1

ray.init()
counter = Counter.remote()
print(sum(ray.get([ray.remote(lambda: 1).remote(), counter.add.remote()])))
"""
ENDLESS = """
import ray, time
ray.init()
ray.get([ray.remote(lambda: time.sleep(600)).remote() for _ in range(9)])
"""
DETACHED = """
import ray

@ray.remote
class Cache:
    def ready(self):
        return "cached"

ray.init(namespace="kept")
print(ray.get(Cache.options(name="cache", lifetime="detached").remote().ready.remote()))
"""
ENDED = """
import ray
ray.init(namespace="kept")
ray.kill(ray.get_actor("cache"))
"""


def activity(head):
    """What the head of a state file does."""
    way = Endpoint(head["url"], headers={"Authorization": f"Bearer {head['token']}"})
    with Transport(way) as transport:
        return work.activity(JobsApi(transport))


@pytest.mark.usefixtures("waits_for_the_stop")
def test_jobs_and_actors_keep_a_head_busy_and_down_asks_while_a_job_runs(cli, warm, soon):
    head = warm("used")
    assert activity(head) == work.Activity()
    on = ("submit", "--on", "used", "--entrypoint", "--", "python", "-c")
    done = cli(*on, TASKS)
    assert done.code == 0, done.err
    # Ray notices a moment after a job's end that its actors and tasks have ended.
    soon(lambda: activity(head).busy == ())
    assert activity(head).last is not None
    words = ("submit", "--on", "used", "--no-follow", "--id", "stuck", "--entrypoint", "--")
    assert cli(*words, "python", "-c", ENDLESS).code == 0
    soon(lambda: "task" in " ".join(activity(head).busy))
    assert cli("stop", "stuck", "--on", "used").code == 0
    soon(lambda: activity(head).busy == ())
    assert cli(*on, DETACHED).code == 0
    soon(lambda: activity(head).busy == ("1 actor: cache",))
    assert cli(*on, ENDED).code == 0
    words = ("submit", "--on", "used", "--no-follow", "--id", "long", "--entrypoint", "--")
    assert cli(*words, "sleep", "600").code == 0
    refused = cli("down", "used", "--on", "local")
    assert refused.code == 2
    assert "1 job runs there and may be lost: long" in refused.err
    assert "next: run it again with --yes" in refused.err
    soon(lambda: activity(head).busy == ("1 job: long",))
    assert cli("down", "used", "--on", "local", "--yes").code == 0
    assert cli("attach", "long").code == 6, "without a head of its name nothing is known"

    warm("used")
    # On a busy machine a head that has just begun may not say yet since when it is up.
    stopped = soon(lambda: (done := cli("stop", "long")).code == 0 and done)
    assert stopped.out == "long: FAILED\n"
    attached = soon(lambda: (done := cli("attach", "long")).code == 20 and done)
    lost = "the job long FAILED: the head was lost before it said how the driver ended"
    assert lost in " ".join(attached.err.split())
    record = cli("runs", "show", "long", "-o", "json").envelope["data"]
    assert (record["status"], record["cause"], record["exit_code"]) == ("FAILED", "head-lost", 20)
