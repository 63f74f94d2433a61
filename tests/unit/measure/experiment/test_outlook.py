"""How far it scales: what is said, how far, and what became of a prediction."""

import json
import math

import pytest

from raykit.measure.experiment.outlook import Outlook, Prediction, checks, look
from raykit.measure.experiment.usl import Law
from raykit.measure.statistics import Ratio

WOBBLE = (0.99, 1.0, 1.01, 0.995, 1.005, 1.0)


def rounds(law, sizes=(1.0, 2.0, 4.0, 8.0), wobble=WOBBLE):
    return {
        p: {number: law.seconds(p) * each for number, each in enumerate(wobble, 1)} for p in sizes
    }


def looked(law, tasks=64, **options) -> Outlook:
    return look(rounds(law, **options), 1.0, tasks, seed=1)


def test_three_sizes_give_no_outlook():
    assert look(rounds(Law(10.0, 0.1, 0.0), sizes=(1.0, 2.0, 4.0)), 1.0, 64, 1) is None


def test_the_next_doubling_is_predicted_with_its_interval_and_no_further():
    law = Law(10.0, 0.05, 0.001)
    found = looked(law)
    assert found.prediction.p == 16
    assert found.prediction.speedup == pytest.approx(law.seconds(1) / law.seconds(16), rel=0.02)
    assert found.prediction.low <= law.seconds(1) / law.seconds(16) <= found.prediction.high
    assert "The next doubling, to p = 16," in found.sentences[2]


def test_where_more_workers_stop_helping_within_reach_is_said():
    found = looked(Law(10.0, 0.05, 0.01))
    assert found.peak.value == pytest.approx(math.sqrt(0.95 / 0.01), rel=0.05)
    assert found.sentences[1].startswith("More task CPUs stop helping at about p = 9.")


def test_nothing_is_said_of_an_end_beyond_twice_the_largest_size():
    found = looked(Law(10.0, 0.05, 0.00001))
    assert found.sentences[1].startswith(
        ("More task CPUs help up to p = 16", "More task CPUs seem")
    )
    assert "p = 3" not in found.sentences[1]


def test_fewer_tasks_than_the_next_size_give_no_prediction():
    found = looked(Law(10.0, 0.05, 0.001), tasks=8)
    assert found.prediction is None
    assert "the work is cut into 8 tasks" in found.sentences[2]


def test_tasks_that_do_not_divide_evenly_are_doubted():
    found = looked(Law(10.0, 0.0, 0.0), tasks=64, sizes=(1.0, 2.0, 3.0, 4.0))
    assert [doubt.name for doubt in found.doubts] == ["UNEVEN_TASKS"]
    assert "p = 3 " in found.doubts[0].why


def test_times_that_follow_no_such_law_are_doubted():
    measured = rounds(Law(10.0, 0.0, 0.0))
    measured[4.0] = dict.fromkeys(measured[4.0], 9.0)
    found = look(measured, 1.0, 64, 1)
    assert "POOR_FIT" in [doubt.name for doubt in found.doubts]


def test_a_peak_that_does_not_exist_is_null_in_json():
    data = looked(Law(10.0, 0.1, 0.0), wobble=(1.0,) * 6).as_dict()
    assert data["peak"] == {"value": None, "low": None, "high": None}
    json.dumps(data, allow_nan=False)


KEPT = Prediction(8.0, 1.0, 2.9, 2.5, 3.3, (1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (Ratio(2.8, 2.7, 2.9), "measured 2.80 (2.70-2.90): as predicted."),
        (Ratio(2.0, 1.9, 2.1), ": less than predicted,"),
        (Ratio(4.0, 3.9, 4.1), ": more than predicted,"),
        (Ratio(3.5), ": more than predicted,"),
    ],
)
def test_a_prediction_is_held_against_what_was_measured(measured, said):
    (sentence,) = checks([KEPT], {8.0: measured, 4.0: Ratio(1.0)})
    assert sentence.startswith("Predicted 2.90 (2.50-3.30) for p = 8, measured ")
    assert said in sentence


def test_a_prediction_of_few_rounds_is_shown_without_a_judgement():
    kept = Prediction(8.0, 1.0, 2.9, None, None, (1.0, 2.0, 3.0, 4.0))
    assert checks([kept], {8.0: Ratio(2.8)}) == ["Predicted 2.90 for p = 8, measured 2.80."]


def test_a_size_that_was_not_measured_checks_nothing():
    assert checks([KEPT], {4.0: Ratio(1.0)}) == []
