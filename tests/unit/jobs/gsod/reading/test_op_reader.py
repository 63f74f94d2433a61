"""Files in the format that NOAA had until 2018 are read, and refused where they are damaged."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.reading.op_reader import inflate, read_op
from jobs.gsod.reading.year import read_year

HEADER = "STN--- WBAN   YEARMODA    TEMP       DEWP      SLP        STP       VISIB      WDSP \n"
NAME = "066000-99999-1960.op.gz"


def line(day="19600101", temp="  34.0", highest="  36.0*"):
    """A line as NOAA wrote it; the highest temperature with its mark."""
    return (
        f"066000 99999  {day}  {temp}  4    32.5  4  9999.9  0  9999.9  0   15.5  4   28.7  4"
        f"   33.0  999.9  {highest}   32.0* 99.99  999.9  110000\n"
    )


def op_file(*lines):
    return (HEADER + "".join(lines)).encode()


def read(content, question=None):
    return read_op(content, "f.op", 1960, question or Question("TEMP", ">=", 34.0))


def refusal(content):
    with pytest.raises(DataProblem) as refused:
        read(content)
    return "\n".join([refused.value.what, *refused.value.evidence])


def test_days_values_and_marks_are_read():
    content = op_file(
        line(), line("19600102", temp=" -10.0", highest="  34.0 "), line("19600103", "9999.9")
    )
    ((name, station),) = read(content)[0].items()
    assert name == "06600099999"
    assert (station.days, station.hits, station.derived) == (0b011, 0b001, 0)
    ((_, station),) = read(content, Question("MAX", ">=", 34.0))[0].items()
    assert (station.days, station.hits, station.derived) == (0b111, 0b111, 0b101)


def test_what_is_left_out_is_counted_as_in_csv_files():
    days = ["19600101", "19600101", "19610101", "19600230"]
    stations, quality = read(op_file(*map(line, days), line("19600105", temp=" 999.9")))
    assert (quality.files, quality.files_by_csv, quality.rows) == (1, 0, 5)
    assert (quality.duplicate_days, quality.other_years, quality.bad_dates) == (1, 1, 1)
    assert quality.examples[-1] == "f.op:6: TEMP is ' 999.9'"
    assert stations["06600099999"].country == ""


@pytest.mark.parametrize(
    "damaged",
    [
        line()[:-8],
        line()[1:],
        "x" + line(),
        line().replace("  19600101", " 19600101 "),
        line().replace("110000", "11000x"),
        '"06600099999","1960-01-01","34.0"\n',
    ],
)
def test_a_line_without_the_formats_columns_is_refused(damaged):
    said = refusal(op_file(line(), damaged))
    assert said.startswith("f.op:3: not a line of the format that NOAA had until 2018")


def test_windows_line_ends_and_empty_lines_are_read():
    content = op_file(line(), "\n", line("19600102")).replace(b"\n", b"\r\n")
    assert read(content)[1].rows == 2
    assert read(b"STN---")[1].rows == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_rows_or_refused(content):
    try:
        quality = read(b"STN--- WBAN\n" + content)[1]
    except DataProblem:
        return
    assert quality.rows == len([line for line in content.split(b"\n") if line.strip(b" \r")])


PACKED = gzip.compress(op_file(line(), line("19600102")), mtime=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PACKED[:-9], "is cut short"),
        (PACKED[:3], "is cut short"),
        (PACKED[:-8] + bytes(8), "is corrupt"),
        (PACKED + b"x", "has other bytes after its end"),
        (PACKED * 2, "has other bytes after its end"),
        (zlib.compress(b"x"), "is corrupt"),
        (gzip.compress(bytes(2 * 2**20)), "not a station's year"),
    ],
)
def test_damage_in_a_packed_file_is_named(content, said):
    with pytest.raises(DataProblem) as refused:
        inflate(content, "f.op.gz")
    assert refused.value.what.startswith("f.op.gz ")
    assert said in refused.value.what


def test_an_archive_of_the_old_format_is_read_and_the_two_formats_may_be_mixed(gsod, year_file):
    old = [(f"./{NAME}", PACKED), ("066200-99999-1960.op", op_file(line("19600103")))]
    new = ("06600099999.csv", gsod.csv(["  70.0"] * 3, "06600099999", year=1960))
    counts = read_year(year_file(gsod.packed(old), 1960), 1960, Question("TEMP", ">=", 34.0))
    assert counts.stations["06600099999"].days == 0b111
    assert counts.quality.rows == 3
    counts = read_year(year_file(gsod.packed([*old, new]), 1960), 1960, Question())
    assert (counts.quality.files, counts.quality.duplicate_days) == (3, 3)
    assert counts.stations["06600099999"].country == "US"


def test_a_packed_file_that_holds_another_format_is_named(gsod, year_file):
    archive = year_file(gsod.packed([(NAME, gzip.compress(b"PAR1"))]), 1960)
    with pytest.raises(DataProblem, match=f"{NAME} is a Parquet file, not CSV"):
        read_year(archive, 1960, Question())


def test_every_real_file_of_the_old_format_is_read(shared_gsod, gsod, year_file):
    paths = sorted(shared_gsod.glob("archives/op/*/*.op.gz"))
    assert len(paths) == 13
    for year in {path.parent.name for path in paths}:
        files = [path for path in paths if path.parent.name == year]
        archive = gsod.packed([(path.name, path.read_bytes()) for path in files])
        counts = read_year(year_file(archive, int(year)), int(year), Question())
        rows = sum(gzip.decompress(path.read_bytes()).count(b"\n") - 1 for path in files)
        quality = counts.quality
        assert (quality.rows, quality.files, quality.left_out) == (rows, len(files), 0)
        assert set(counts.stations) == {path.name[:12].replace("-", "") for path in files}
        assert sum(station.days.bit_count() for station in counts.stations.values()) == rows
