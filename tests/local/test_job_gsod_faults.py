"""Workers and actors that die while they load: the same answer, or none."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.gsod.counts import Question
from jobs.gsod.loading import RayLost, load_year
from jobs.gsod.sources.address import Where
from tests.gsod_origin import Origin

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[2]
WHERE = Where(str(ROOT / "jobs" / "data" / "gsod"))
YEARS = (2020, 2024)
DIES_AT = 40


@dataclass(frozen=True)
class Deadly(Question):
    """Ends its process in the middle of a file, once for each file in a folder of fuses."""

    fuses: str = ""

    def classify(self, text):
        Deadly.asked = getattr(Deadly, "asked", 0) + 1
        fuse = next(iter(sorted(Path(self.fuses).iterdir())), None)
        if fuse and Deadly.asked > DIES_AT:
            # The other year's worker may take it at the same moment: then that one dies.
            with contextlib.suppress(FileNotFoundError):
                fuse.unlink()
                os._exit(1)
        return Question(self.column, self.op, self.threshold).classify(text)


@pytest.fixture(scope="module")
def cluster():
    """jobs.gsod.on_ray, attached to a Ray of two CPUs in this process."""
    ray = pytest.importorskip("ray", reason="needs Ray, which the extra [local] installs")
    from jobs.gsod import on_ray

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        patch.setenv("PYTHONPATH", str(ROOT))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield on_ray
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        ray.shutdown()


@pytest.fixture
def deadly(tmp_path):
    def make(deaths):
        for number in range(deaths):
            (tmp_path / str(number)).touch()
        return Deadly("TEMP", ">=", 80.0, str(tmp_path))

    return make


@pytest.fixture(params=["folder", "web", "web, cached"])
def where(request, tmp_path_factory):
    """The sample in a folder, and at a web server with and without a cache."""
    if request.param == "folder":
        yield WHERE
        return
    origin = Origin().sample(*YEARS)
    cache = str(tmp_path_factory.mktemp("cache")) if "cached" in request.param else ""
    yield Where(origin.url, cache)
    origin.close()


@pytest.fixture(scope="module")
def expected():
    question = Question("TEMP", ">=", 80.0)
    return [load_year(WHERE, year, question).counts for year in YEARS]


def test_a_worker_that_dies_while_loading_is_replaced_and_the_answer_is_the_same(
    cluster, deadly, expected, where, tmp_path
):
    loaded = cluster.load_by_tasks(where, YEARS, deadly(1))
    assert [year.problem for year in loaded] == [None, None]
    for year in loaded:
        year.counts.archive.pop("source", None)
    assert [year.counts for year in loaded] == expected
    assert list(tmp_path.iterdir()) == []
    if where.cache:
        kept = [path.suffix for path in Path(where.cache).iterdir() if path.suffix != ".part"]
        assert sorted(kept) == [".gz", ".gz", ".json", ".json"], "the dead task sealed nothing"


def test_an_actor_that_dies_while_loading_loads_again(cluster, deadly, expected, tmp_path):
    actors = cluster.Actors(WHERE, YEARS, deadly(1))
    assert [each.counts for each in actors.load()] == expected
    assert actors.ask()["common_hits"] == [108, 18]
    assert list(tmp_path.iterdir()) == []


def test_an_actor_killed_between_questions_loads_again_before_it_answers(cluster):
    import ray

    actors = cluster.Actors(WHERE, YEARS, Question("TEMP", ">=", 80.0))
    actors.load()
    ray.kill(actors.handles[0], no_restart=False)
    assert actors.ask()["common_hits"] == [108, 18]


def test_a_worker_that_always_dies_gives_no_answer(cluster, deadly):
    with pytest.raises(RayLost, match="Ray gave up"), cluster.attached():
        cluster.load_by_tasks(WHERE, YEARS, deadly(50))


def test_an_actor_that_always_dies_gives_no_answer(cluster, deadly):
    with pytest.raises(RayLost, match="Ray gave up"), cluster.attached():
        cluster.load_by_actors(WHERE, YEARS, deadly(50))


@pytest.mark.parametrize(
    ("actors", "cpus", "share"),
    [(2, 2, 1), (2, 8, 1), (3, 2, 1 / 2), (10, 2, 1 / 5), (3, 0, 1 / 3)],
)
def test_more_actors_than_cpus_share_them(cluster, actors, cpus, share):
    assert cluster.cpu_share(actors, cpus) == share


@pytest.mark.parametrize(
    ("tasks", "cpus", "each"),
    [(2, [2], 1), (2, [4], 2), (2, [2, 2], 2), (2, [3, 1], 1), (4, [2, 2], 1), (1, [], 1)],
)
def test_a_task_gets_a_second_cpu_where_all_tasks_can_have_one(cluster, tasks, cpus, each):
    assert cluster.cpus_per_task(tasks, cpus) == each
