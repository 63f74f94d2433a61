"""Throttling is read from both versions of control groups, and is absent rather than zero."""

import pytest

from raykit.kuberay import throttling

V1 = "nr_periods 200\nnr_throttled 50\nthrottled_time 2500000000\n"
V2 = "usage_usec 9\nuser_usec 8\nnr_periods 200\nnr_throttled 50\nthrottled_usec 2500000\n"


@pytest.mark.parametrize("text", [V1, V2])
def test_both_versions_say_the_same(text):
    assert throttling.parsed(text) == {
        "periods": 200,
        "throttled_periods": 50,
        "throttled_seconds": pytest.approx(2.5),
    }


@pytest.mark.parametrize("text", ["", "usage_usec 9\n", "cat: no such file\n"])
def test_what_does_not_say_is_absent(text):
    assert throttling.parsed(text) is None
