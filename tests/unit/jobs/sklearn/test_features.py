"""Features for a model: whole days that are followed by another."""

import pytest

import jobs.sklearn.__main__ as job
from jobs.gsod.archive import DataProblem
from jobs.gsod.options import SAMPLE
from jobs.sklearn.features import NAMES, samples


@pytest.fixture
def read(year_file, gsod, tmp_path):
    def read(rows, most=100):
        year_file(gsod.packed([("a.csv", (gsod.header + "".join(rows)).encode())]))
        return samples(tmp_path, [2020], most)

    return read


def test_a_day_is_paired_with_the_next_days_temperature(read, gsod):
    rows = [gsod.row(day=day, temp=f"{50 + n:6.1f}") for n, day in enumerate(gsod.days(count=4))]
    features, targets = read(rows)
    assert targets == [51.0, 52.0, 53.0]
    assert [row[NAMES.index("temp")] for row in features] == [50.0, 51.0, 52.0]
    assert all(len(row) == len(NAMES) for row in features)


def test_days_with_a_missing_value_and_days_before_a_gap_are_left_out(read, gsod):
    days = gsod.days(count=6)
    rows = [gsod.row(day=day) for day in (days[0], days[2], days[3])]
    rows.append(gsod.row(day=days[4], DEWP="9999.9"))
    rows.append(gsod.row(day=days[5]))
    assert len(read(rows)[1]) == 1


def test_no_more_than_asked_for_are_taken(read, gsod):
    assert len(read([gsod.row(day=day) for day in gsod.days(count=50)], most=7)[0]) == 7


@pytest.mark.parametrize("value", ["NaN", "x", ""])
def test_a_value_that_is_no_number_is_refused(read, gsod, value):
    with pytest.raises(DataProblem, match="cannot be used"):
        read([gsod.row(day="2020-01-01", WDSP=value), gsod.row(day="2020-01-02")])


def test_the_sample_has_thousands_of_days():
    features, targets = samples(SAMPLE, range(2015, 2025), 100_000)
    assert len(features) == len(targets) > 3_000
    assert all(-50 < target < 110 for target in targets)


def test_what_is_not_installed_is_named_with_the_command_that_brings_it(monkeypatch, capfd):
    monkeypatch.setattr(job, "missing_modules", lambda: ["joblib", "sklearn"])
    assert job.main([]) == job.EXIT_MISSING
    out, err = capfd.readouterr()
    assert '"cause": "missing"' in out
    assert err == (
        "error: joblib and sklearn not installed on the Ray node of the driver\n"
        "  pip install scikit-learn\n"
    )


def test_all_unusable_options_of_the_model_are_told_at_once(capsys):
    with pytest.raises(SystemExit) as ended:
        job.parse(["--trees", "0", "--folds", "x", "--rows", "-1"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(f"argument --{name}" in said for name in ("trees", "folds", "rows"))


def test_one_fold_is_too_few(capsys):
    with pytest.raises(SystemExit):
        job.parse(["--folds", "1"])
    assert "at least 2" in capsys.readouterr().err


def test_data_that_is_no_folder_is_refused(capsys):
    main = pytest.importorskip("jobs.sklearn.__main__")
    for word in ("noaa", "https://host/archive"):
        with pytest.raises(SystemExit):
            main.parse(["--data", word, "--folds", "1"])
        said = capsys.readouterr().err
        assert f"{word!r} is no folder" in said
        assert "at least 2 are needed" in said
