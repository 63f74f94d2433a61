"""The arms of an experiment: paired by round, the answer first, honest about few rounds."""

import random

import pytest

from raykit.errors import RecordError, UsageError
from raykit.measure.experiment.arms import compare_arms, values
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step


@pytest.fixture
def lab(make_record):
    """`lab({"one": [2.0, 2.1], "two": [1.0, 1.1]}, p={...})`: an experiment and its records."""

    def make(times, p=None, scaling=Scaling.strong, cold=None, **fields):
        p = p or dict(zip(times, (1.0, 2.0, 4.0, 8.0), strict=False))
        records, made = {}, []
        plans = [(times, Purpose.measured), (cold or {}, Purpose.cold)]
        for own, purpose in plans:
            for arm, seconds in own.items():
                for number, took in enumerate(seconds, 1):
                    run = f"{arm}-{purpose}-{number}"
                    span = {"name": "tasks", "arm": "tasks", "start": 0.0, "seconds": took}
                    made.append(Made(Step(arm, purpose, number), run))
                    records[run] = make_record(
                        id=run,
                        status="SUCCEEDED",
                        spans=[span],
                        ended=1795477369.0 + took + 3.0,
                        **fields.get(arm, {}),
                    )
        experiment = Experiment(
            id="try",
            job={"name": "fib", "arguments": []},
            plan=Plan(tuple(times), max(map(len, times.values()))),
            scaling=scaling,
            arms={arm: {"p": p[arm], "tasks": 2, "asked": arm} for arm in times},
            started=0.0,
            made=made,
        )
        return experiment, records

    return make


def compared(made, **options):
    return compare_arms(*made, **options)


SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]


def test_the_answer_comes_first_and_with_its_interval(lab):
    result = compared(lab({"one": SIX, "two": [seconds / 2 for seconds in SIX]}))
    assert result.sentences[0] == "two took 0.50 (0.50-0.50) of one's time (6 rounds): faster."
    one, two = result.arms
    assert one.took is None
    assert (two.speedup.value, two.efficiency.value) == pytest.approx((2.0, 1.0))
    assert two.overhead == pytest.approx(3.0)


def test_rounds_are_paired_so_that_a_slow_hour_hits_both(lab):
    drift = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    result = compared(lab({"one": drift, "two": [seconds * 0.9 for seconds in drift]}))
    assert result.arms[1].took.decided


def test_below_six_rounds_nothing_is_decided(lab):
    result = compared(lab({"one": SIX[:5], "two": [seconds / 9 for seconds in SIX[:5]]}))
    assert result.sentences[0].endswith("undecided, measured too seldom.")
    assert result.doubts[0].name == "FEW_SAMPLES"
    assert compared(lab({"one": [1.0], "two": [1.0]})).doubts[0].name == "SINGLE_SAMPLE"


def test_only_rounds_that_both_finished_count(lab):
    result = compared(lab({"one": SIX, "two": [*SIX, 99.0]}))
    assert result.arms[1].took.value == pytest.approx(1.0)


def test_another_baseline_turns_the_ratio_round(lab):
    made = lab({"one": SIX, "two": [seconds / 2 for seconds in SIX]})
    assert compared(made, baseline="two").arms[0].took.value == pytest.approx(2.0)
    with pytest.raises(UsageError, match="no arm three"):
        compared(made, baseline="three")


def test_a_serial_part_and_growing_overhead_are_told_apart(lab):
    def amdahl(p, serial):
        return [seconds * (serial + (1 - serial) / p) for seconds in SIX]

    constant = compared(lab({"1": SIX, "2": amdahl(2, 0.1), "4": amdahl(4, 0.1)}))
    assert "a serial part" in constant.sentences[-1]
    rising = compared(lab({"1": SIX, "2": amdahl(2, 0.05), "4": amdahl(4, 0.3)}))
    assert "overhead that grows with p" in rising.sentences[-1]


def test_overhead_is_given_for_each_task_where_the_baseline_has_one_cpu(lab):
    work = {"results": [{"work": {"tasks": 4}, "data": {}}]}
    times = {"one": [4.0] * 6, "two": [2.2] * 6}
    result = compared(lab(times, one=work, two=work))
    assert result.arms[0].task_overhead is None
    assert result.arms[1].task_overhead == pytest.approx((2 * 2.2 - 4.0) / 4)


def test_from_four_sizes_on_the_sentences_say_how_far_it_scales(lab):
    four = {str(p): [s * (0.1 + 0.9 / p) for s in SIX] for p in (1, 2, 4, 8)}
    result = compared(lab(four))
    assert any(text.startswith("Universal Scalability Law") for text in result.sentences)
    assert result.as_dict()["outlook"]["prediction"]["p"] == 16
    by_law = [row["law_seconds"] for row in values(result)]
    measured = [row["seconds"] for row in values(result)]
    assert by_law == pytest.approx(measured, rel=0.01)
    weak = compared(lab(four, scaling=Scaling.weak))
    assert weak.outlook is None


def test_weak_scaling_compares_times_and_not_cpus(lab):
    result = compared(lab({"one": SIX, "two": SIX}, scaling=Scaling.weak))
    assert result.arms[1].efficiency.value == pytest.approx(1.0)
    assert result.arms[1].serial_fraction is None


def test_more_than_the_cpus_can_give_is_doubted(lab):
    result = compared(lab({"one": SIX, "two": [seconds / 3 for seconds in SIX]}))
    assert "SUPERLINEAR" in [doubt.name for doubt in result.doubts]


def test_an_efficiency_above_1_that_noise_explains_is_not_doubted(lab):
    factors = [0.2, 0.9, 0.3, 0.8, 0.4, 0.45]
    noisy = [seconds * factor for seconds, factor in zip(SIX, factors, strict=True)]
    result = compared(lab({"one": SIX, "two": noisy}))
    efficiency = result.arms[1].efficiency
    assert efficiency.low < 1 < efficiency.value
    assert "SUPERLINEAR" not in [doubt.name for doubt in result.doubts]


def test_cold_starts_stand_apart(lab):
    result = compared(lab({"one": SIX, "two": SIX}, cold={"one": [9.0], "two": [8.0]}))
    assert result.arms[0].seconds.seconds == pytest.approx(2.25)
    assert result.arms[0].cold.seconds == 9.0


def test_runs_of_unlike_work_are_refused(lab):
    unlike = {"results": [{"work": {"size": 2}, "data": {}}]}
    like = {"results": [{"work": {"size": 1}, "data": {}}]}
    with pytest.raises(RecordError, match="unlike"):
        compared(lab({"one": SIX, "two": SIX}, one=like, two=unlike))
    compared(lab({"one": SIX, "two": SIX}, scaling=Scaling.weak, one=like, two=unlike))


def test_a_record_that_is_gone_is_named(lab):
    experiment, records = lab({"one": SIX, "two": SIX})
    del records["two-measured-3"]
    with pytest.raises(RecordError) as refused:
        compare_arms(experiment, records)
    assert refused.value.evidence == ("two-measured-3",)


def test_the_rows_hold_plain_values(lab):
    rows = values(compared(lab({"one": SIX, "two": [seconds / 2 for seconds in SIX]})))
    assert rows[0]["speedup"] is None
    assert rows[1]["speedup"] == pytest.approx(2.0)
    assert rows[1]["ratio"] == pytest.approx(0.5)


def test_equal_arms_seldom_differ(lab):
    """200 experiments of equal arms: a difference is reported no more often than stated, 5 %."""
    chance = random.Random(20261126)
    decided = 0
    for _ in range(200):
        rounds = [chance.lognormvariate(0, 0.5) for _ in range(8)]
        one = [seconds * chance.lognormvariate(0, 0.1) for seconds in rounds]
        two = [seconds * chance.lognormvariate(0, 0.1) for seconds in rounds]
        decided += compared(lab({"one": one, "two": two})).arms[1].took.decided
    assert decided <= 17  # of 200 at 5 %: more happens once in 50 such seeds, less is as stated
