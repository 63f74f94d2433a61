"""`raykit bench`: the order of runs, going on after a break, and what it refuses."""

from types import SimpleNamespace

import pytest

from raykit.errors import ConflictError, JobFailedError, RaykitError, RecordError, UsageError
from raykit.flows.experiments import bench, making, readiness, reading
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
            self.timed, self.count = False, 0

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
        made.count += 1
        record = make_record(id=f"run-{made.count}")
        if made.timed:
            seconds = 10 / made.p[request.where.on] + 0.1 + made.count % 3 / 100
            span = {"name": "tasks", "arm": "tasks", "start": 0.0, "seconds": seconds}
            record.spans, record.status, record.ended = [span], "SUCCEEDED", record.started + 12
            record.results = [{"work": {"tasks": 24}, "data": {}}]
            runs.write(record)
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


def test_how_to_go_on_is_said_before_the_first_run(lab):
    said = []
    listener = SimpleNamespace(note=said.append)
    bench.bench(lab.request(id=None), lab.runs, Progress(listener))
    (folder,) = [path.parent.name for path in lab.runs.path.glob(f"*/{experiments.FILE}")]
    assert said[0] == f"experiment {folder}: the same command with --id {folder} continues it"
    assert said[1].startswith("[1/")


@pytest.mark.parametrize(("name", "code"), [("last", 2), ("last~2", 2), ("../x", 2), ("run-9", 8)])
def test_an_id_that_no_experiment_can_have_is_refused_before_anything_runs(
    lab, make_record, monkeypatch, name, code
):
    lab.runs.write(make_record(id="run-9"))
    monkeypatch.setattr(readiness, "ready", None)
    monkeypatch.setattr(readiness, "seen", None)
    for flow in (bench.bench, bench.outline):
        with pytest.raises(RaykitError) as refused:
            flow(lab.request(id=name), lab.runs, Progress())
        assert refused.value.exit_code == code
    assert lab.ran == []


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


@pytest.mark.parametrize("arguments", [("--tasks", "4"), ("--tasks=4",)])
def test_tasks_that_are_given_twice_are_refused(lab, arguments):
    with pytest.raises(UsageError, match="given twice") as refused:
        lab.bench(arguments=arguments)
    assert "--scaling as-given" in refused.value.next
    lab.bench(arguments=arguments, scaling=Scaling.given)


def test_the_outline_runs_and_writes_nothing(lab):
    planned = bench.outline(lab.request(cold=1), lab.runs, Progress())
    assert {step.purpose for step in planned.remaining()} == set(Purpose)
    assert lab.ran == []
    assert list(lab.runs.path.iterdir()) == []


def test_arms_that_join_run_with_all_others_in_rounds_of_their_own(lab):
    lab.bench(tasks_per_cpu=2)
    lab.ran.clear()
    lab.p["four"] = 4.0
    four = Arm("four", Where({}, "four"), "--on four")
    done = lab.bench(arms=(*ARMS, four))
    assert [number for number, _ in done.runs("four")] == [3, 4]
    assert [number for number, _ in done.runs("one")] == [1, 2, 3, 4]
    assert len(lab.ran) == 1 + 6
    assert {words[1:] for words in lab.ran} == {("--size", "9", "--tasks", "4")}
    lab.ran.clear()
    assert lab.bench(arms=(*ARMS, four)).remaining() == []
    assert lab.ran == []


def test_an_arm_with_more_cpus_than_the_work_has_tasks_cannot_join(lab):
    lab.bench()
    lab.p["four"] = 4.0
    with pytest.raises(UsageError, match="into 2 tasks"):
        lab.bench(arms=(*ARMS, Arm("four", Where({}, "four"), "--on four")))


def test_a_prediction_is_kept_before_its_size_is_measured(lab, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a hundred records
    lab.p = {"p1": 1.0, "p2": 2.0, "p3": 3.0, "p4": 4.0, "p8": 8.0}
    lab.timed = True
    arms = tuple(Arm(name, Where({}, name), f"--on {name}") for name in lab.p)
    done = lab.bench(arms=arms[:4], rounds=6, tasks_per_cpu=6)
    (kept,) = experiments.read(lab.runs, "try").predictions
    assert (kept.p, kept.sizes) == (8.0, (1.0, 2.0, 3.0, 4.0))
    assert done.predictions == [kept]
    lab.bench(arms=arms, rounds=6, tasks_per_cpu=6)
    again = experiments.read(lab.runs, "try")
    sentences = reading.compared(again, lab.runs).sentences
    assert any(text.startswith("Predicted ") and "p = 8" in text for text in sentences)
    assert [each.p for each in again.predictions] == [8.0, 16.0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(40.2, "40 s"), (89, "89 s"), (720, "12 min"), (4800, "1 h 20 min")]
)
def test_time_left_is_said_in_words(seconds, text):
    assert making.duration(seconds) == text
