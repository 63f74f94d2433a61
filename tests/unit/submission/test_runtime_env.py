"""Runtime environments are checked here, since Ray ignores what it does not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.submission import runtime_env


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
        ({"env_vars": {"A": 1}}, "env_vars.A: Input should be a valid string, got 1"),
        ({"env_vars": {"A": None}}, "env_vars.A: Input should be a valid string, got None"),
        ({"env_vars": {"A": True}}, "env_vars.A: Input should be a valid string, got True"),
        ({"pip": ["a"], "uv": ["b"]}, "uv: only one of pip, uv, conda"),
        ({"working_dir": 3}, "working_dir: Input should be a valid string, got 3"),
        ({"py_modules": "x"}, "py_modules: Input should be a valid list, got 'x'"),
    ],
)
def test_what_ray_would_ignore_or_choke_on_is_refused_by_name(data, told):
    assert told in refused(data)


def test_every_problem_is_told_at_once():
    assert len(refused({"a": 1, "b": 2, "env_vars": {"X": 1, "Y": 2}})) == 4


def test_options_add_to_a_file():
    base = {"env_vars": {"A": "1", "B": "1"}, "pip": {"packages": ["a"], "pip_check": True}}
    assert runtime_env.merged(base, {"B": "2"}, ["b"]) == {
        "env_vars": {"A": "1", "B": "2"},
        "pip": {"packages": ["a", "b"], "pip_check": True},
    }
    assert base["env_vars"]["B"] == "1"
    with pytest.raises(UsageError, match="whose pip is a file"):
        runtime_env.merged({"pip": "requirements.txt"}, {}, ["b"])


@pytest.mark.parametrize(
    "text", ["- a", "a: [", "\t", "3", "a: !!python/object/apply:os.system [x]"]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "env.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        runtime_env.read_file(path)


@given(st.dictionaries(st.from_regex(r"[A-Z_]+", fullmatch=True), st.text()))
def test_words_of_key_and_value_come_back_as_they_were(values):
    assert runtime_env.pairs([f"{key}={value}" for key, value in values.items()], "-e") == values


def test_words_without_a_value_are_all_named(tmp_path):
    path = tmp_path / "vars"
    path.write_text("# comment\n\nA=1\nB\n=C\n")
    with pytest.raises(UsageError) as caught:
        runtime_env.env_file(path)
    assert caught.value.evidence == ("B", "=C")
