"""The options of the GSOD job: defaults, and every problem at once."""

import json
from pathlib import Path

import pytest

from jobs.gsod.options import SAMPLE, parse, submitted_from
from jobs.gsod.sources.address import Where


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        parse(list(words))
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_without_data_the_defaults_are_the_samples():
    options = parse([])
    assert options.sample
    assert options.where == Where(str(SAMPLE))
    assert options.years == (2020, 2024)
    assert (options.question.column, options.question.op) == ("TEMP", ">=")
    assert options.question.threshold == 80
    assert options.method == "tasks"


def test_with_data_the_defaults_are_the_tutorials():
    options = parse(["--data", "somewhere"])
    assert not options.sample
    assert options.years == (1980, 2020)
    assert options.question.threshold == 100


def test_a_relative_folder_is_made_absolute_because_workers_stand_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert parse(["--data", "x/y"]).where == Where(str(tmp_path / "x" / "y"))
    assert parse(["--data", "~/y"]).where == Where(str(Path.home() / "y"))


def test_options_given_are_kept_when_the_sample_is_read():
    options = parse(["--high-temp", "75.5", "--column", "MAX", "--op", "<="])
    assert options.question.threshold == 75.5
    assert options.years == (2020, 2024)


def test_ranges_and_years_mix():
    assert parse(["--years", "1950..1953", "2020"]).years == (1950, 1951, 1952, 1953, 2020)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1980"], "give two or more"),
        (["1980", "1980"], "1980 given more than once"),
        (["1928", "1980"], "GSOD has the years 1929 to 2025"),
        (["1980", "2026"], "GSOD has the years 1929 to 2025"),
        (["2020..1980"], "runs backwards"),
        (["80", "2020"], "neither a year nor first..last"),
        (["1980..", "2020"], "neither a year nor first..last"),
        (["١٩٨٠", "2020"], "neither a year nor first..last"),
    ],
)
def test_unusable_years_are_refused(capsys, words, said):
    assert said in refusal(capsys, "--years", *words)


@pytest.mark.parametrize("word", ["hot", "nan", "inf", "1e999", "1_0", ""])
def test_a_temperature_that_is_no_number_is_refused(capsys, word):
    assert "--high-temp" in refusal(capsys, "--high-temp", word)


def test_a_negative_temperature_is_a_number():
    assert parse(["--high-temp", "-40"]).question.threshold == -40


def test_every_problem_is_shown_at_once_and_once(capsys):
    said = refusal(
        capsys, "--years", "1900", "--high-temp", "x", "--min-days", "400", "--country", "USA"
    )
    for part in ("--years", "--high-temp", "--min-days", "--country"):
        assert said.count(part) == 1


def test_coverage_options_reach_the_question():
    options = parse(
        ["--min-days", "300", "--matched-days", "--country", "us", "NO", "--stations", "A", "B"]
    )
    assert options.coverage.min_days == 300
    assert options.coverage.matched_days
    assert options.coverage.countries == {"US", "NO"}
    assert options.coverage.stations == {"A", "B"}


def test_ids_of_stations_are_upper_case_however_they_are_written():
    assert parse(["--stations", "a0735500241"]).coverage.stations == {"A0735500241"}


def test_an_empty_id_is_refused(capsys):
    assert "argument --stations: an id is empty" in refusal(capsys, "--stations", "A", "")


@pytest.mark.parametrize("word", ["", " ", "a\0b", "~nobody-of-this-name/x"])
def test_a_folder_that_cannot_be_one_is_refused_and_is_not_the_sample(capsys, word):
    assert "argument --data" in refusal(capsys, "--data", word)


def test_the_tutorials_method_answers_the_tutorials_question_only(capsys):
    said = refusal(capsys, "--method", "tutorial", "--column", "MAX", "--op", "<=", "--strict")
    for part in ("--column", "--op", "--strict"):
        assert f"--method tutorial does not know {part}" in said
    assert parse(["--method", "tutorial", "--high-temp", "70"]).method == "tutorial"


def test_a_relative_folder_is_meant_from_where_the_job_was_submitted(monkeypatch, tmp_path):
    job = {"runtime_env": {}, "metadata": {"raykit-folder": str(tmp_path)}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    assert submitted_from() == tmp_path
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR")
    assert submitted_from() == Path.cwd()
