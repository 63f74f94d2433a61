"""A worker pod that is deleted while it reads an archive: the same answer."""

import subprocess
from pathlib import Path

import pytest

from jobs.gsod.counts import Question
from jobs.gsod.loading import load_year
from jobs.gsod.sources.address import Where

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SAMPLE = Where(str(ROOT / "jobs/data/gsod"))
MARK = "/tmp/is-loading"
SLOW = f"""
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# raykit's jobs are on nobody's import path. Ray gives its workers the folder of a script that has
# no working directory: this one says that it lies beside them.
sys.path.insert(0, "/opt/raykit")
sys.argv[0] = __file__ = "/opt/raykit/jobs"

from jobs.gsod import on_ray
from jobs.gsod.counts import Question
from jobs.gsod.sources.address import Where


@dataclass(frozen=True)
class Slow(Question):
    def classify(self, text):
        if not getattr(Slow, "slept", False):
            Slow.slept = True
            Path("{MARK}").touch()
            time.sleep(15)
        return Question(self.column, self.op, self.threshold).classify(text)


sample = Where(str(Path(on_ray.__file__).parents[1] / "data" / "gsod"))
with on_ray.attached():
    for loaded in on_ray.load_by_tasks(sample, [2020, 2024], Slow("TEMP", ">=", 80.0)):
        counts = loaded.counts
        hits = sum(station.hits.bit_count() for station in counts.stations.values())
        print("counted", counts.year, counts.quality.rows, hits, flush=True)
"""


SCRIPT = ("python", "-c", SLOW)


def expected(year):
    counts = load_year(SAMPLE, year, Question("TEMP", ">=", 80.0)).counts
    hits = sum(station.hits.bit_count() for station in counts.stations.values())
    return f"counted {year} {counts.quality.rows} {hits}"


def test_a_worker_pod_deleted_while_it_reads_an_archive_changes_no_answer(lab, tmp_path, soon):
    where = ["-n", "raykit", "--name", "loses-one"]
    lab.raykit("up", "-f", ROOT / "deploy/clusters/multi-node.yaml", *where)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as told, err.open("wb") as noted:
        words = ["raykit", "submit", "--on", "loses-one", "--entrypoint", "--", *SCRIPT]
        child = subprocess.Popen(words, env=lab.env, stdout=told, stderr=noted)
    try:
        victim = soon(lambda: loading(lab), 300)
        lab.kubectl("delete", "pod", "-n", "raykit", victim, "--grace-period=0", "--force")
        assert child.wait(300) == 0, out.read_text() + err.read_text()
    finally:
        child.kill()
        child.wait()
        lab.raykit("down", "loses-one", "-n", "raykit", "--yes")
    # Ray tells the driver of the lost node in between.
    said = [line for line in out.read_text().splitlines() if line.startswith("counted ")]
    assert said == [expected(2020), expected(2024)]


def loading(lab, cluster="loses-one"):
    """A worker pod in which a task has begun to read."""
    labels = f"ray.io/cluster={cluster},ray.io/node-type=worker"
    for pod in lab.objects("pods", "-n", "raykit", "-l", labels):
        name = pod["metadata"]["name"]
        if lab.kubectl("exec", "-n", "raykit", name, "--", "ls", MARK, check=False).strip():
            return name
    return None
