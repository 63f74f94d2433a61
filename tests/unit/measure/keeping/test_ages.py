"""Lengths of time as users write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.measure.keeping import ages


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("12h", 43200),
        ("30d", 2592000),
        ("2w", 1209600),
        ("1h30m", 5400),
    ],
)
def test_a_length_of_time_is_read(text, seconds):
    assert ages.parse(text, "--since") == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "d", "-1d", "1.5h", "30 d", "1y", "٣d", "1d,", "9" * 10 + "d"]
)
def test_what_is_none_is_refused_with_the_form(text):
    with pytest.raises(UsageError, match="--since") as caught:
        ages.parse(text, "--since")
    assert "30d" in caught.value.next


@given(st.text())
def test_no_text_is_a_bug(text):
    with contextlib.suppress(UsageError):
        assert ages.parse(text, "--since") >= 0
