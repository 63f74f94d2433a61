"""`--fail-if`: what is a condition, and when it fails."""

import pytest

from raykit.errors import ConditionError, UsageError
from raykit.measure.experiment.conditions import check, parse

ROWS = [
    {"arm": "one", "speedup": None, "seconds": 2.0},
    {"arm": "two", "speedup": 1.4, "seconds": 1.43},
]


@pytest.mark.parametrize("text", ["speedup<1.5", " speedup < 1.5 ", "seconds>1.9", "speedup<=1.4"])
def test_a_condition_that_holds_fails(text):
    with pytest.raises(ConditionError) as failed:
        check([parse(text)], ROWS)
    assert failed.value.exit_code == 10
    assert len(failed.value.evidence) == 1


@pytest.mark.parametrize("text", ["speedup<1.4", "seconds>2", "speedup>=1.5"])
def test_a_condition_that_does_not_hold_passes(text):
    check([parse(text)], ROWS)


def test_what_was_not_measured_has_not_passed():
    with pytest.raises(ConditionError) as failed:
        check([parse("efficiency<0.5")], ROWS)
    assert failed.value.what == "a condition of --fail-if cannot be checked"
    assert failed.value.evidence == ("efficiency<0.5: efficiency was measured for no arm",)


@pytest.mark.parametrize(
    "text", ["", "speedup", "speed<1", "speedup=1", "speedup<", "speedup<nan", "speedup<1e9", "1<2"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)
