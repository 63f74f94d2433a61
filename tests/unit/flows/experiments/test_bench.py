"""`raykit bench`: the order of runs, going on after a break, and what it refuses."""

import pytest

from raykit.errors import ConflictError, JobFailedError, RecordError, UsageError
from raykit.flows.experiments import bench, making, readiness
from raykit.flows.experiments.readiness import Ready
from raykit.flows.experiments.request import Arm, Request
from raykit.flows.session import Run
from raykit.flows.targets.where import Where
from raykit.measure.experiment import experiments
from raykit.measure.experiment.plan import Purpose, Scaling
from raykit.measure.records import RunsFolder
from raykit.progress import Progress
from raykit.submission.entrypoints import Entrypoint

ARMS = tuple(Arm(name, Where({}, name), f"--on {name}") for name in ("one", "two"))


@pytest.fixture
def lab(tmp_path, monkeypatch, make_record):
    """Arms that offer so many CPUs, and a submit that runs nothing: `lab.ran` has its words."""

    class Lab:
        def __init__(self):
            self.runs = RunsFolder(tmp_path)
            self.p = {"one": 1.0, "two": 2.0}
            self.ran, self.failures, self.images = [], {}, {}

        def request(self, **changed):
            fields = {
                "entrypoint": lambda words: Entrypoint("fib", tuple(words), tuple(words)),
                "job": "fib",
                "arguments": ("--size", "9"),
                "arms": ARMS,
                "rounds": 2,
                "scaling": Scaling.strong,
                "seed": 1,
                "id": "try",
            }
            return Request(**{**fields, **changed})

        def bench(self, **changed):
            return bench.bench(self.request(**changed), self.runs, Progress())

    made = Lab()

    def asked(name, where, request, progress):
        return Ready(where, made.p[name], name, made.images.get(name, ()))

    def submit(request, runs, progress):
        made.ran.append((request.where.on, *request.entrypoint.words))
        record = make_record(id=f"run-{len(made.ran)}")
        error = made.failures.pop(len(made.ran), None)
        return Run(record, error)

    monkeypatch.setattr(readiness, "asked", asked)
    monkeypatch.setattr(making.submit, "submit", submit)
    return made


def test_every_arm_runs_once_a_round_after_its_warm_up_with_the_work_of_the_largest(lab):
    done = lab.bench()
    words = ("--size", "9", "--tasks", "2")
    assert lab.ran[:2] == [("one", *words), ("two", *words)]
    assert sorted(lab.ran[2:4]) == sorted(lab.ran[4:6]) == [("one", *words), ("two", *words)]
    assert done.remaining() == []


def test_the_work_as_given_is_passed_on_unchanged(lab):
    lab.bench(scaling=Scaling.given)
    assert {words[1:] for words in lab.ran} == {("--size", "9")}


def test_an_experiment_goes_on_where_it_stopped(lab):
    lab.failures = {4: JobFailedError("killed"), 5: JobFailedError("killed again")}
    with pytest.raises(JobFailedError):
        lab.bench()
    assert len(experiments.read(lab.runs, "try").made) == 3
    lab.ran.clear()
    done = lab.bench(seed=99)
    assert len(lab.ran) == 3
    assert [len(done.runs(name)) for name in ("one", "two")] == [2, 2]
    assert done.plan.seed == 1


def test_a_run_that_fails_once_is_made_again(lab):
    lab.failures = {3: JobFailedError("a node was lost")}
    done = lab.bench()
    assert len(lab.ran) == 7
    assert "run-3" not in [each.run for each in done.made]


def test_more_rounds_are_added_to_an_experiment(lab):
    lab.bench()
    lab.ran.clear()
    assert len(lab.bench(rounds=3).runs("one")) == 3
    assert len(lab.ran) == 2


def test_the_same_id_with_another_job_is_a_conflict(lab):
    lab.bench()
    with pytest.raises(ConflictError) as refused:
        lab.bench(arguments=("--size", "10"))
    assert "'--size', '9'" in refused.value.evidence[0]


def test_arms_of_different_images_are_refused_before_anything_runs(lab):
    lab.images = {"one": ("sha256:a",), "two": ("sha256:b",)}
    with pytest.raises(RecordError, match="different images"):
        lab.bench()
    assert lab.ran == []


def test_tasks_that_are_given_twice_are_refused(lab):
    with pytest.raises(UsageError, match="given twice"):
        lab.bench(arguments=("--tasks", "4"))


def test_the_outline_runs_and_writes_nothing(lab):
    planned = bench.outline(lab.request(cold=1), Progress())
    assert {step.purpose for step in planned.remaining()} == set(Purpose)
    assert lab.ran == []
    assert list(lab.runs.path.iterdir()) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(40.2, "40 s"), (89, "89 s"), (720, "12 min"), (4800, "1 h 20 min")]
)
def test_time_left_is_said_in_words(seconds, text):
    assert making.duration(seconds) == text
