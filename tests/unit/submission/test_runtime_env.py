"""Runtime environments are checked here, since Ray ignores what it does not know."""

import contextlib
import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.submission import runtime_env, variables


def refused(data):
    with pytest.raises(UsageError) as caught:
        runtime_env.checked(data, "a test")
    return list(caught.value.evidence)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"pip": ["a==1"], "env_vars": {"A": "1"}},
        {"pip": "requirements.txt"},
        {"pip": {"packages": ["a"], "pip_check": True}},
        {"uv": ["a"]},
        {"conda": {"dependencies": ["pip"]}},
        {"config": {"setup_timeout_seconds": 30, "eager_install": False}},
        {"_nsight": "default", "working_dir": "s3://x/y.zip", "excludes": ["*.bin"]},
    ],
)
def test_what_ray_knows_passes_unchanged(data):
    assert runtime_env.checked(data, "a test") == data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"workng_dir": "."}, "workng_dir: unknown, did you mean working_dir?"),
        ({"zzz": 1}, "zzz: unknown"),
        ({"env_vars": {"A": 1}}, "env_vars.A: must be text: quote it"),
        ({"env_vars": {"A": None}}, "env_vars.A: must be text: quote it"),
        ({"env_vars": {"A": True}}, "env_vars.A: must be text: quote it"),
        (
            {"env_vars": {"A B": ""}},
            "env_vars.A B: is not a variable name: letters, digits and _",
        ),
        (
            {"env_vars": {"PYTHONHOME": "/x"}},
            "env_vars.PYTHONHOME: Ray's workers would not find their Python",
        ),
        ({"env_vars": {"A": "\udcff"}}, "env_vars.A: is not UTF-8, or holds a NUL"),
        ({"conda": {"a": datetime.date(2020, 1, 1)}}, "conda.a: is a date: quote it"),
        ({"conda": {"a": float("nan")}}, "conda.a: must be a finite number"),
        ({"conda": {"a": [10**5000]}}, "conda.a[0]: is too large a number"),
        ({"conda": {"a": {1: "b"}}}, "conda.a: the key 1 must be text: quote it"),
        ({"pip": ["a"], "uv": ["b"]}, "uv: only one of pip, uv, conda"),
        ({"working_dir": 3}, "working_dir: must be text: quote it"),
        ({"py_modules": "x"}, "py_modules: must be a valid list"),
    ],
)
def test_what_ray_would_ignore_or_choke_on_is_refused_by_name(data, told):
    assert told in refused(data)


@pytest.mark.parametrize("nest", [lambda inside: [inside], lambda inside: {"a": inside}])
def test_what_is_nested_beyond_sense_is_refused_and_not_walked(nest):
    deep = "x"
    for _ in range(500):
        deep = nest(deep)
    assert any("is nested too deeply" in line for line in refused({"config": deep}))


def test_every_problem_is_told_at_once():
    assert len(refused({"a": 1, "b": 2, "env_vars": {"X": 1, "Y": 2}})) == 4


def test_options_add_to_a_file():
    base = {"env_vars": {"A": "1", "B": "1"}, "pip": {"packages": ["a"], "pip_check": True}}
    assert runtime_env.merged(base, {"B": "2"}, ["b"]) == {
        "env_vars": {"A": "1", "B": "2"},
        "pip": {"packages": ["a", "b"], "pip_check": True},
    }
    assert base["env_vars"]["B"] == "1"


def test_files_that_a_runtime_environment_names_are_read_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("# ours\na==1\n\n b \n")
    (tmp_path / "conda.yml").write_text("dependencies: [pip]\n")
    assert runtime_env.merged({"pip": "requirements.txt"}, {}, ["c"])["pip"] == ["a==1", "b", "c"]
    assert runtime_env.merged({"uv": "requirements.txt"}, {}, [])["uv"] == ["a==1", "b"]
    assert runtime_env.merged({"conda": "conda.yml"}, {}, [])["conda"] == {"dependencies": ["pip"]}
    assert runtime_env.merged({"conda": "base"}, {}, [])["conda"] == "base"
    with pytest.raises(UsageError, match="pip of the runtime environment names none"):
        runtime_env.merged({"pip": "none.txt"}, {}, [])


def test_what_is_merged_is_checked_as_a_whole():
    with pytest.raises(UsageError) as caught:
        runtime_env.merged({"uv": ["a"]}, {"1X": ""}, ["b"])
    assert len(caught.value.evidence) == 2
    with pytest.raises(UsageError, match="is wrong") as caught:
        runtime_env.merged({}, {"PATH": "/mine"}, [])
    assert "PATH=/my/bin:${PATH}" in caught.value.evidence[0]
    assert runtime_env.merged({}, {"PATH": "/mine:$PATH"}, [])["env_vars"]


@pytest.mark.parametrize(
    ("base", "given", "folder"),
    [
        ({}, None, None),
        ({}, Path("b"), Path("b")),
        ({"working_dir": "a"}, None, Path("a")),
        ({"working_dir": "a"}, Path("b"), Path("b")),
        ({"working_dir": "s3://a/b.zip"}, None, None),
    ],
)
def test_the_environments_working_directory_is_taken_where_none_is_given(base, given, folder):
    assert runtime_env.working_dir(base, given) == folder


@pytest.mark.parametrize(
    "text",
    [
        *("- a", "a: [", "\t", "3", "a: !!python/object/apply:os.system [x]", "pip: [a]\npip: [b]"),
        *("conda: &a {x: *a}", "a: 2020-99-99", "a: 0x", f"a: {'9' * 5000}", "[" * 5000),
        *("conda: 2020-01-01", "a: \x07", "a" * 300_000, "%YAML 9.9.9", "? [a]\n: b"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "env.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        runtime_env.read_file(path)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.dictionaries(st.from_regex(r"[A-Z_]+", fullmatch=True), TEXT))
def test_words_of_key_and_value_come_back_as_they_were(values):
    assert variables.pairs([f"{key}={value}" for key, value in values.items()], "-e") == values


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_runtime_environment_file_ends_in_anything_but_a_refusal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "env.yaml"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        json.dumps(runtime_env.merged(runtime_env.read_file(path), {}, []), allow_nan=False)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text() | st.integers(), inside),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*runtime_env.KEYS, "x"]), ANYTHING))
def test_what_passes_can_be_sent_as_json(data):
    with contextlib.suppress(UsageError):
        json.dumps(runtime_env.merged(data, {}, []), allow_nan=False).encode()
