"""A patch: keys replace keys, named things merge by name, null removes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.manifests.patching import merged

trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers() | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
        max_leaves=6,
    ),
)


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            {"a": [{"name": "x", "v": 1}, {"name": "y"}]},
            {"a": [{"name": "x", "v": 2}, {"name": "z"}]},
            {"a": [{"name": "x", "v": 2}, {"name": "y"}, {"name": "z"}]},
        ),
        ({"a": [{"name": "x"}]}, {"a": []}, {"a": []}),
        ({}, {"a": [{"name": "x"}]}, {"a": [{"name": "x"}]}),
    ],
)
def test_a_patch_is_merged(base, patch, expected):
    assert merged(base, patch) == expected


@given(trees)
def test_an_empty_patch_changes_nothing_and_a_patch_with_itself_neither(tree):
    assert merged(tree, {}) == tree
    assert merged(tree, tree) == tree


@given(trees, trees)
def test_a_patch_applied_twice_is_a_patch_applied_once(base, patch):
    once = merged(base, patch)
    assert merged(once, patch) == once
