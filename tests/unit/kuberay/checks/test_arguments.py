"""What the operator's arguments say, in every form that Go's flags allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.kuberay.checks import arguments


def operator(*words):
    return {"spec": {"template": {"spec": {"containers": [{"name": "o", "args": list(words)}]}}}}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], []),
        (["--watch-namespace=a,b"], ["a", "b"]),
        (["-watch-namespace=a"], ["a"]),
        (["--watch-namespace", "a, b"], ["a", "b"]),
        (["--watch-namespace="], []),
        (["--watch-namespace=a", "--watch-namespace=b"], ["b"]),
        (["--watch-namespace"], []),
        (["--config=/etc/operator.yaml"], None),
        (["--config", "/c", "--watch-namespace=a"], ["a"]),
        (["--watch-namespaces=a"], []),
    ],
)
def test_the_namespaces_that_it_watches(words, names):
    assert arguments.watched(operator(*words)) == names


def test_without_containers_it_has_no_arguments():
    assert arguments.watched({}) == []
    assert arguments.shown({}) == "its arguments: none"


def test_where_a_file_says_it_every_namespace_may_be_watched():
    assert arguments.watches(operator("--config=/c"), "ours")
    assert not arguments.watches(operator("--watch-namespace=theirs"), "ours")


def test_gates_are_on_or_off_and_those_without_a_value_are_not_said():
    gates = arguments.gates(operator("--feature-gates=A=true, B=False,C,,D=1"))
    assert gates == {"A": True, "B": False, "D": False}


@given(st.lists(st.text(max_size=30), max_size=8))
def test_no_argument_breaks_the_reading(words):
    arguments.watched(operator(*words))
    arguments.gates(operator(*words))
    assert arguments.shown(operator(*words)).startswith("its arguments: ")
