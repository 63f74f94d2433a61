"""Options that take a number refuse `nan`, `inf`, and what no system call or Ray can take."""

import math

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import raykit as library
from raykit.app.main import app
from raykit.errors import UsageError
from tests.unit.app.test_odd_input import run, world

__all__ = ["world"]

NO_NUMBERS = [
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e999",
    "-1",
    "-0.5",
    "",
    " ",
    "1,5",
    "0x10",
]
beyond = st.integers(min_value=2**63) | st.integers(max_value=-1)
words = (
    st.sampled_from(NO_NUMBERS)
    | beyond.map(str)
    | st.floats(min_value=1e19, allow_infinity=False).map(str)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["N", "Cs"]), max_size=9)
)


def numeric_options():
    """Command, option and type, of each option that takes a number."""
    options = []

    def walk(command, name):
        for child, sub in getattr(command, "commands", {}).items():
            walk(sub, (*name, child))
        for param in command.params:
            if {"int", "float"} & set(param.type.name.replace("range", "").split()) or (
                param.type.name == "read"
            ):
                options.append((name, max(param.opts, key=len), param.type))

    walk(typer.main.get_command(app), ())
    return options


OPTIONS = numeric_options()


def test_every_numeric_option_is_seen_and_has_two_bounds():
    assert len(OPTIONS) >= 15
    unbounded = [
        (name, option)
        for name, option, kind in OPTIONS
        if kind.name != "read" and (kind.max is None or kind.min is None or "float" in kind.name)
    ]
    assert unbounded == [], "typer's ranges of floats let nan through: use options.number"


@pytest.mark.parametrize(("command", "option"), [case[:2] for case in OPTIONS], ids=str)
@settings(max_examples=6)
@given(word=words)
def test_what_is_no_number_in_range_is_refused_by_name(world, command, option, word):
    code, _, err = run([*command, f"{option}={word}"])
    assert code == 2
    assert option in err


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0, 1e300, "soon"])
def test_the_python_api_refuses_them_too(world, seconds):
    with pytest.raises(UsageError, match="timeout"):
        library.submit("fib", on="http://127.0.0.1:1", timeout=seconds)
    with pytest.raises(UsageError, match="timeout"):
        library.attach("last", timeout=seconds)
    with pytest.raises(UsageError, match="entrypoint_num_cpus"):
        library.submit("fib", on="http://127.0.0.1:1", resources={"entrypoint_num_cpus": seconds})
