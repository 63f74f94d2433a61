"""`raykit bench --break-even`: which runs it makes, going on after a break, and what it refuses."""

from dataclasses import dataclass

import pytest

from raykit.errors import ConflictError, JobFailedError, JobsApiError, UsageError
from raykit.flows.experiments import break_even, making, readiness
from raykit.flows.experiments.readiness import Ready
from raykit.flows.experiments.request import Arm, Request
from raykit.flows.session import Run
from raykit.flows.targets.where import Where
from raykit.measure.experiment import experiments
from raykit.measure.experiment.break_even import Search
from raykit.measure.records import RunsFolder
from raykit.phases import Phase
from raykit.progress import Progress
from raykit.submission import entrypoints
from raykit.submission.entrypoints import Entrypoint

SEARCH = Search(1_000, 1_000_000, 8)
TRUE_SIZE = 40_000


@dataclass
class Place:
    """As much of a target as the search asks for."""

    ends_with_job: bool


@pytest.fixture
def lab(tmp_path, monkeypatch, make_record):
    """A head on which tasks begin to win at TRUE_SIZE: `lab.ran` has (mode, size) of each run."""

    class Lab:
        def __init__(self):
            self.runs = RunsFolder(tmp_path)
            self.ran, self.failures, self.fits, self.timed = [], {}, 10**9, True
            self.warm_ups = 0

        def request(self, **changed):
            fields = {
                "entrypoint": lambda words: Entrypoint("fib", tuple(words), tuple(words)),
                "job": "fib",
                "arguments": ("--tasks", "4"),
                "arms": (Arm("one", Where({}, "one"), "--on one"),),
                "rounds": 8,
                "warm_ups": self.warm_ups,
                "seed": 1,
                "id": "try",
            }
            return Request(**{**fields, **changed})

        def bench(self, search=SEARCH, **changed):
            return break_even.bench(self.request(**changed), search, self.runs, Progress())

        def record(self, mode, size):
            seconds = size / TRUE_SIZE if mode == "local" else (1 + size / TRUE_SIZE) / 2
            span = {"name": mode, "arm": mode, "start": 0.0, "seconds": seconds}
            phases = [Phase("first-task", 0.0, seconds / 2), Phase("run", 0.0, seconds / 2)]
            return make_record(
                id=f"run-{len(self.ran)}",
                status="SUCCEEDED",
                spans=[span] if self.timed else [],
                phases=phases,
                ended=1795477379.0,
            )

    made = Lab()

    def submit(request, runs, progress):
        words = request.entrypoint.words
        assert words[:2] == ("--tasks", "4")
        size, mode = int(words[3]), words[5]
        made.ran.append((mode, size))
        error = made.failures.pop(len(made.ran), None)
        if size > made.fits:
            error = JobFailedError("the job FAILED", evidence=["would not fit"])
        record = made.record(mode, size)
        runs.write(record)
        return Run(record, error)

    monkeypatch.setattr(readiness, "asked", lambda name, where, *_: Ready(where, 2.0, name))
    monkeypatch.setattr(
        break_even.choosing, "choose", lambda where: type("T", (), {"ends_with_job": False})
    )
    monkeypatch.setattr(making.submit, "submit", submit)
    monkeypatch.setattr("os.fsync", lambda _: None)  # a hundred records in each test
    return made


def test_the_size_is_found_and_kept_with_its_points(lab):
    done = lab.bench()
    answer = done.break_even["answer"]
    assert answer["low"] <= TRUE_SIZE <= answer["high"]
    assert experiments.read(lab.runs, "try") == done
    kept = done.break_even["points"]
    assert {"size", "ratio", "winner", "rounds"} <= set(kept[0])
    assert [point["size"] for point in kept] == sorted(point["size"] for point in kept)


def test_every_round_of_a_size_has_both_modes_in_random_order(lab):
    lab.bench()
    rounds = [lab.ran[index : index + 2] for index in range(0, 16, 2)]
    assert all(sorted(pair) == [("local", 32_000), ("tasks", 32_000)] for pair in rounds)
    assert len({tuple(pair) for pair in rounds}) == 2


def test_only_the_first_size_is_warmed_up(lab):
    lab.warm_ups = 1
    done = lab.bench()
    warm = [made.step for made in done.made if str(made.step.purpose) == "warm-up"]
    assert [(step.arm, step.size) for step in warm] == [("local", 32_000), ("tasks", 32_000)]


def test_a_search_goes_on_where_it_stopped(lab):
    lab.failures = {21: JobsApiError("gone"), 22: JobsApiError("gone")}
    with pytest.raises(JobsApiError):
        lab.bench()
    assert experiments.read(lab.runs, "try").break_even["answer"] is None
    before = len(experiments.read(lab.runs, "try").made)
    assert before == 20
    lab.ran.clear()
    done = lab.bench(seed=99)
    assert len(lab.ran) == len(done.made) - before
    assert done.break_even["answer"]["high"] >= TRUE_SIZE


def test_what_is_finished_is_not_run_again(lab):
    first = lab.bench()
    lab.ran.clear()
    assert lab.bench() == first
    assert lab.ran == []


def test_a_size_that_does_not_fit_bounds_the_search(lab, monkeypatch):
    monkeypatch.setattr(f"{__name__}.TRUE_SIZE", 10**9)
    lab.fits = 200_000
    done = lab.bench()
    assert done.break_even["answer"]["sentence"] == "Tasks never win up to 130,000."
    assert "would not fit" in done.break_even["answer"]["why"]
    lab.ran.clear()
    assert lab.bench() == done
    assert lab.ran == []


def test_a_job_that_fails_at_the_first_size_ends_the_search_with_its_error(lab):
    lab.fits = 10
    with pytest.raises(JobFailedError):
        lab.bench()


def test_a_job_that_times_nothing_is_measured_from_outside(lab):
    lab.timed = False
    assert lab.bench().break_even["answer"]["low"] <= TRUE_SIZE


def test_another_range_with_the_same_id_is_a_conflict(lab):
    lab.bench()
    with pytest.raises(ConflictError) as refused:
        lab.bench(Search(1_000, 2_000, 8))
    assert "break-even" in refused.value.evidence[0]


@pytest.mark.parametrize("words", [("--size", "9"), ("--size=9",), ("--mode", "both")])
def test_what_the_search_sets_itself_cannot_be_given(lab, words):
    with pytest.raises(UsageError, match="given twice"):
        lab.bench(arguments=words)


def test_the_outline_runs_and_writes_nothing(lab):
    break_even.outline(lab.request(), SEARCH, lab.runs, Progress())
    assert lab.ran == []
    assert list(lab.runs.path.iterdir()) == []


def test_a_local_head_of_the_search_ends_with_it_also_where_a_run_fails(lab, monkeypatch):
    ups, downs = [], []
    monkeypatch.setattr(
        break_even.choosing, "choose", lambda where: type("T", (), {"ends_with_job": True})
    )
    monkeypatch.setattr(break_even.local, "up", lambda name, *_: ups.append(name) or name)
    monkeypatch.setattr(break_even.local, "down", lambda head, *_: downs.append(head))
    lab.fits = 10
    with pytest.raises(JobFailedError):
        lab.bench()
    assert len(ups) == 1
    assert ups == downs


@pytest.mark.parametrize("job", ["gsod", "objects", "sklearn"])
def test_a_job_without_sizes_and_modes_is_told_what_it_needs(job):
    with pytest.raises(UsageError, match="takes no --") as refused:
        break_even.check_job(entrypoints.find(job, ()))
    assert refused.value.next.endswith("these have both: fib")


def test_a_script_with_both_options_is_taken_whatever_module_reads_them(tmp_path):
    (tmp_path / "mine.py").write_text("import options\n")
    script = entrypoints.find(str(tmp_path / "mine.py"), ())
    with pytest.raises(UsageError, match="no --size and no --mode"):
        break_even.check_job(script)
    (tmp_path / "options.py").write_text("add('--size'); add('--mode')\n")
    break_even.check_job(script)


def test_what_lies_beside_a_script_and_is_no_file_is_no_source(tmp_path):
    # Emacs leaves such a link beside a file that is being edited.
    (tmp_path / ".#mine.py").symlink_to("me@host.1234")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "mine.py").write_text("import options\n")
    script = entrypoints.find(str(tmp_path / "mine.py"), ())
    with pytest.raises(UsageError, match="no --size and no --mode"):
        break_even.check_job(script)
