"""The whole job without Ray: what it prints, in every format, and how it fails."""

import csv
import json
import shutil
import sys

import pytest

import jobs.gsod.__main__ as gsod
from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.options import SAMPLE
from jobs.gsod.reading.read_ahead import Ahead
from jobs.gsod.reading.year import read_year
from jobs.gsod.tutorial import BASE_BYTES, BYTES_PER_BYTE, TutorialYear, fits, inflated_bytes


@pytest.fixture
def run(capfd):
    def run(*words):
        status = gsod.main(["--method", "local", *map(str, words)])
        out, err = capfd.readouterr()
        lines = out.splitlines()
        events = [json.loads(line) for line in lines if line.startswith('{"raykit"')]
        text = [line for line in lines if not line.startswith('{"raykit"')]
        return status, text, events, err

    return run


@pytest.fixture
def folder(tmp_path):
    for year in (2020, 2024):
        shutil.copy(SAMPLE / f"{year}.tar.gz", tmp_path)
    return tmp_path


def test_the_sample_answers_with_the_tutorials_three_lines(run):
    status, text, events, err = run()
    assert status == 0
    assert err == ""
    assert text == [
        "No --data: the sample's years are compared (2020 2024, TEMP >= 80 °F).",
        "Number of stations in common: 2",
        "2020 - High temp count for common stations: 108",
        "2024 - High temp count for common stations: 18",
        "",
        "Days with TEMP >= 80 °F, the daily mean",
        "year  hits  stations  station-days  per 1,000  95 % interval  derived",
        "2020   108         2           731     147.74              -        0",
        "2024    18         2           438      41.10              -        0",
        "",
        "Change since 2020, station by station",
        "year  stations  per 1,000  95 % interval  hits",
        "2024         2    -106.65              -     -",
        "",
        "Data quality",
        "year  files  rows  missing  refused  bad dates  other years  duplicate days",
        "2020      2   731        0        0          0            0               0",
        "2024      2   438        0        0          0            0               0",
        "stations: 2 seen, 2 compared",
        "Data: the two stations that ship with the job; --data DIR reads other data.",
        "WARNING: coverage decides: 2024 has fewer than 2020 as counted (18 against 108),",
        "  but more on calendar days that are valid in every year (18 against 4;",
        "  --matched-days)",
        "WARNING: coverage decides: 2024 has fewer than 2020 as counted (18 against 108),",
        "  but more at stations with 300 valid days a year (17 against 3; --min-days 300)",
    ]
    assert [event["event"] for event in events] == ["start", *["span"] * 3, "result"]


def test_the_threshold_is_shown_as_asked(run):
    _, text, events, _ = run("--high-temp", "79.99999")
    assert "Days with TEMP >= 79.99999 °F, the daily mean" in text
    assert events[-1]["data"]["question"]["threshold"] == 79.99999


def test_a_question_about_a_station_that_does_not_exist_ends_with_9(run):
    status, text, events, err = run("--stations", "72429793813")
    assert (status, events[-1]["cause"]) == (9, "data")
    assert text == ["No --data: the sample's years are compared (2020 2024, TEMP >= 80 °F)."]
    assert "ids that begin like the first: 72429793812" in err


def test_equal_work_is_told_from_unlike_work(run, folder):
    def work(*words):
        return run(*words)[2][-1]["work"]

    same = ("--years", 2020, 2024, "--high-temp", 80)
    plain = work(*same)
    assert plain == work("--data", folder, *same), "another folder holds the same archives"
    assert plain["rows"] == 731 + 438
    unlike = [
        work("--years", 2020, 2023, "--high-temp", 80),
        work("--years", 2020, 2024, "--high-temp", 81),
        work(*same, "--column", "MAX"),
        work(*same, "--min-days", 9),
        work(*same, "--country", "US"),
    ]
    assert all(each != plain for each in unlike)


def test_json_is_one_document_with_the_result(run):
    status, text, events, _ = run("--format", "json", "--years", "2018..2020")
    assert status == 0
    document = json.loads("\n".join(text))
    assert [each["year"] for each in document["years"]] == [2018, 2019, 2020]
    assert document["common_stations"] == events[-1]["data"]["common_stations"] == 2
    assert len(document["years"][0]["archive"]["sha256"]) == 64


def test_csv_has_a_line_for_each_year_and_for_each_year_of_each_pair(run):
    status, text, _, _ = run("--format", "csv", "--years", "2018..2020", "--pairwise")
    assert status == 0
    rows = list(csv.DictReader(text))
    assert [(row["stations_of"], row["year"]) for row in rows[:4]] == [
        ("all", "2018"),
        ("all", "2019"),
        ("all", "2020"),
        ("2018+2019", "2018"),
    ]
    assert len(rows) == 9


def test_every_line_of_text_fits_into_80_columns(run):
    for words in ([], ["--years", "2015..2024", "--pairwise", "--column", "MAX"]):
        _, text, _, _ = run(*words)
        assert max(map(len, text)) <= 80


def test_a_series_of_years_is_drawn(run):
    _, text, _, _ = run("--years", "2015..2024")
    assert any("█" in line for line in text)


def test_every_unusable_archive_is_told_at_once(run, folder):
    (folder / "2020.tar.gz").write_bytes(b"<html>404</html>")
    (folder / "2024.tar.gz").unlink()
    status, text, events, err = run("--data", folder, "--years", 2020, 2024)
    assert status == 9
    assert text == []
    assert events[-1]["event"] == "error"
    assert events[-1]["cause"] == "data"
    assert events[-1]["message"] == "2 archives are unusable"
    assert "2020.tar.gz is not a gzip file" in err
    assert "2024.tar.gz is not in" in err


def test_one_unusable_archive_is_named_in_the_message(run, folder):
    (folder / "2024.tar.gz").write_bytes((folder / "2024.tar.gz").read_bytes()[:-5])
    _, _, events, err = run("--data", folder, "--years", 2020, 2024)
    assert events[-1]["message"] == "2024.tar.gz is cut short"
    assert err.startswith("error: 2024.tar.gz is cut short")


@pytest.fixture
def dirty(folder, gsod):
    rows = [gsod.row(day=day, temp=" 100.0") for day in gsod.days(2024, 20)]
    rows += [gsod.row(day="2024-01-20", temp=" 100.0"), gsod.row(day="2023-01-01", temp=" 100.0")]
    rows += [gsod.row(day="2024-03-01", temp="   NaN"), gsod.row(day="2024-02-31", temp="  10.0")]
    content = (gsod.header + "".join(rows)).encode()
    (folder / "2024.tar.gz").write_bytes(gsod.packed([("72429793812.csv", content)]))
    return folder


def test_invalid_values_never_count_and_are_reported_with_the_answer(run, dirty):
    status, text, events, _ = run("--data", dirty, "--years", 2020, 2024, "--high-temp", 90)
    assert status == 0
    assert "2024 - High temp count for common stations: 20" in text
    quality = events[-1]["data"]["years"][1]["quality"]
    names = ("rows", "refused", "bad_dates", "other_years", "duplicate_days")
    assert [quality[name] for name in names] == [24, 1, 1, 1, 1]
    assert any("TEMP is '   NaN'" in line for line in text)


def test_strict_refuses_what_is_otherwise_left_out(run, dirty):
    status, text, events, err = run("--data", dirty, "--years", 2020, 2024, "--strict")
    assert status == 9
    assert text == []
    assert events[-1]["cause"] == "data"
    assert "1 refused, 1 bad dates, 1 other years, 1 duplicate days (--strict)" in err


def test_strict_accepts_clean_data(run):
    assert run("--strict")[0] == 0


def test_members_that_were_passed_over_are_in_the_report(run, folder, gsod):
    import tarfile

    link = tarfile.TarInfo("x.csv")
    link.type = tarfile.SYMTYPE
    content = [(link, None), ("72429793812.csv", gsod.csv(["  70.0"] * 9, year=2024))]
    (folder / "2024.tar.gz").write_bytes(gsod.packed(content))
    _, text, _, _ = run("--data", folder, "--years", 2020, 2024)
    assert "2024: 1 members passed over: symbolic link" in text


def test_two_threads_give_the_same_counts_and_the_same_refusals(folder):
    path, question = folder / "2024.tar.gz", Question("TEMP", ">=", 70.0)
    assert read_year(path, 2024, question, threads=2) == read_year(path, 2024, question)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataProblem, match="cut short"):
        read_year(path, 2024, question, threads=2)


class Endless:
    """A stream without an end."""

    def readinto(self, buffer):
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_a_reader_that_stops_early_leaves_no_thread_behind():
    import threading

    before = set(threading.enumerate())
    with Ahead(Endless()) as stream:
        assert stream.readinto(memoryview(bytearray(10))) == 10
    assert set(threading.enumerate()) <= before


def test_what_is_read_ahead_comes_in_order_and_ends_as_the_stream_does():
    class Counting:
        def __init__(self):
            self.left = list(range(40))

        def readinto(self, buffer):
            if not self.left:
                return 0
            size = 1 + 7 * self.left[0] % 100
            buffer[:size] = bytes([self.left.pop(0)]) * size
            return size

    found, buffer = b"", memoryview(bytearray(64))
    with Ahead(Counting()) as stream:
        while size := stream.readinto(buffer):
            found += bytes(buffer[:size])
    assert found == b"".join(bytes([each]) * (1 + 7 * each % 100) for each in range(40))


def test_without_numpy_every_file_is_read_by_csv_to_the_same_answer(monkeypatch):
    question = Question("MAX", ">=", 80.0)
    for year in (2020, 2024):
        path = SAMPLE / f"{year}.tar.gz"
        usual = read_year(path, year, question)
        monkeypatch.setattr("jobs.gsod.reading.year.WITH_NUMPY", False)
        slow = read_year(path, year, question)
        assert slow.stations == usual.stations
        assert slow.quality.files_by_csv == slow.quality.files
        monkeypatch.undo()


def test_without_numpy_the_job_says_why_it_is_slow_and_what_to_install(run, folder, monkeypatch):
    pytest.importorskip("jobs.gsod.reading.fast", reason="NumPy comes with [gsod]")
    with monkeypatch.context() as without:
        without.setattr("jobs.gsod.reading.year.WITH_NUMPY", False)
        status, text, events, _ = run("--data", folder, "--years", 2020, 2024)
    assert status == 0
    assert "next: pip install numpy isal" in " ".join(line.strip() for line in text)
    assert events[-1]["data"]["reading"]["numpy"] is False
    _, text, events, _ = run("--data", folder, "--years", 2020, 2024)
    assert "numpy" not in " ".join(text).lower()
    assert events[-1]["data"]["reading"]["numpy"] is True


def test_an_address_without_obstore_names_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    status, _, _, err = run("--data", "https://127.0.0.1:9/gsod", "--years", 2020, 2024)
    assert status == gsod.EXIT_DATA
    assert "obstore is not installed" in err
    assert "pip install obstore" in err


def test_the_tutorials_loader_gives_the_same_numbers_on_clean_data():
    for year in (2020, 2024):
        counts = read_year(SAMPLE / f"{year}.tar.gz", year, Question("TEMP", ">=", 80.0))
        rows = TutorialYear(str(SAMPLE), year, 80)
        assert rows.load_data() is None
        assert rows.get_stations() == set(counts.stations)
        assert rows.get_row_count() == counts.quality.rows
        hits = {name: each.hits.bit_count() for name, each in counts.stations.items()}
        assert rows.get_high_temp_count() == sum(hits.values())
        for name in hits:
            assert rows.get_high_temp_count({name}) == hits[name]


def test_the_tutorials_loader_names_an_archive_that_it_cannot_read(tmp_path):
    (tmp_path / "2020.tar.gz").write_bytes(b"no archive")
    problem = TutorialYear(str(tmp_path), 2020, 80).load_data()
    assert "2020.tar.gz" in problem.what


def test_the_tutorials_method_fits_just_below_and_not_just_above_the_memory():
    sizes = [1000, 2000]
    needs = [BASE_BYTES + size * BYTES_PER_BYTE for size in sizes]
    assert fits(sizes, [sum(needs)])
    assert not fits(sizes, [sum(needs) - 1])
    assert fits(sizes, needs)
    assert not fits(sizes, [needs[1], needs[0] - 1])


def test_the_size_of_an_archive_is_what_it_inflates_to(tmp_path):
    path = SAMPLE / "2024.tar.gz"
    counts = read_year(path, 2024, Question())
    assert inflated_bytes(path) == counts.archive["inflated_bytes"]
    (tmp_path / "2020.tar.gz").write_bytes(b"short")
    with pytest.raises(DataProblem):
        inflated_bytes(tmp_path / "2020.tar.gz")


def test_data_that_a_pod_does_not_have_names_the_ways_to_bring_it(run, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    status, _, _, err = run("--data", tmp_path / "none")
    assert status == 9
    assert "that folder does not exist on this Ray node" in err
    assert "raykit submit gsod --working-dir FOLDER -- --data ." in err
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert "--working-dir" not in run("--data", tmp_path / "none")[3]


def test_a_folder_that_may_not_be_read_is_named(run, tmp_path):
    from pathlib import Path

    name = "x" * 300
    status, _, events, err = run("--data", Path(tmp_path, name))
    assert (status, events[-1]["cause"]) == (9, "data")
    assert "cannot be read" in err
