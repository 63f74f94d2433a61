"""What a value, a row and a header may be, what is refused, and what is said of it."""

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import COLD, HIT, MISSING, REFUSED, Question, country_of, days_of, is_date
from jobs.gsod.reading.csv_reader import read_csv

HOT = Question("TEMP", ">=", 100.0)
ID = "72429793812"


def read(content, question=HOT):
    stations, quality = read_csv(content, "f.csv", 2020, question)
    return stations, quality


def refusal(content, question=HOT):
    with pytest.raises(DataProblem) as refused:
        read(content, question)
    return "\n".join([refused.value.what, *refused.value.evidence])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" 100.0", HIT),
        ("100.0", HIT),
        ("100", HIT),
        ("  99.9", COLD),
        ("  -0.0", COLD),
        ("-128.6", COLD),
        ("9999.9", MISSING),
        ("", MISSING),
        ("      ", MISSING),
        ("NaN", REFUSED),
        ("nan", REFUSED),
        ("inf", REFUSED),
        ("1e309", REFUSED),
        ("1e2", REFUSED),
        ("100.0*", REFUSED),
        ("+100.0", REFUSED),
        ("1_00.0", REFUSED),
        ("0x64", REFUSED),
        ("١٠٠", REFUSED),
        ("100,0", REFUSED),
        ("999.9", REFUSED),
        ("-9999.9", REFUSED),
        ("150.1", REFUSED),
        ("\t100.0", REFUSED),
        (".", REFUSED),
        ("-", REFUSED),
    ],
)
def test_a_value_is_valid_missing_or_refused(text, kind):
    assert HOT.classify(text) == kind


def test_the_other_direction_counts_cold_days_and_never_missing_ones():
    freezing = Question("TEMP", "<=", 32.0)
    assert [freezing.classify(text) for text in ("  32.0", "  32.1", "9999.9", "-999.9")] == [
        HIT,
        COLD,
        MISSING,
        REFUSED,
    ]


def test_missing_and_refused_values_never_count_and_are_reported(gsod):
    stations, quality = read(gsod.csv([" 100.0", "9999.9", "   NaN", " 1e309", "100.0*"]))
    assert stations[ID].hits.bit_count() == 1
    assert stations[ID].days.bit_count() == 1
    assert stations[ID].rows == 5
    assert (quality.missing, quality.refused) == (1, 3)
    assert quality.examples[0] == "f.csv:4: TEMP is '   NaN'"


def test_a_missing_maximum_is_not_hot_and_a_derived_one_is_flagged(gsod):
    rows = [
        gsod.row(day="2020-01-01", MAX=" 101.0", MAX_ATTRIBUTES="*"),
        gsod.row(day="2020-01-02", MAX=" 101.0", MAX_ATTRIBUTES=" "),
        gsod.row(day="2020-01-03", MAX="9999.9", MAX_ATTRIBUTES="*"),
    ]
    content = (gsod.header + "".join(rows)).encode()
    stations, quality = read(content, Question("MAX", ">=", 100.0))
    assert stations[ID].hits == 0b11
    assert stations[ID].derived == 0b01
    assert quality.missing == 1


def test_columns_are_found_by_name_wherever_they_stand():
    content = b'NEW,TEMP,DATE,STATION\n1," 100.0",2020-01-01,99\n2,  99.9,2020-01-02,99\n'
    stations, _ = read(content)
    assert stations["99"].hits == 1
    assert stations["99"].days == 0b11


@pytest.mark.parametrize("missing", ["STATION", "DATE", "TEMP"])
def test_a_missing_required_column_is_named_with_file_and_line(missing):
    names = [name for name in ("STATION", "DATE", "TEMP") if name != missing]
    said = refusal((",".join(names) + "\n1,2\n").encode())
    assert said.startswith("f.csv:1: the header does not fit")
    assert f"no column {missing}" in said


def test_all_problems_of_a_header_are_told_at_once():
    said = refusal(b"STATION,STATION,DATE\n")
    assert "no column TEMP" in said
    assert "column STATION comes twice" in said


def test_a_doubled_column_that_nobody_needs_is_harmless():
    assert read(b"STATION,DATE,TEMP,X,X\n1,2020-01-01, 100.0,a,b\n")[1].rows == 1


def test_a_byte_order_mark_and_windows_line_ends_are_read(gsod):
    content = b"\xef\xbb\xbf" + gsod.csv([" 100.0"] * 5).replace(b"\n", b"\r\n")
    assert read(content)[0][ID].hits.bit_count() == 5


def test_a_name_in_latin_1_is_read(gsod):
    row = gsod.row(temp=" 100.0", NAME="TROMSØ, NO")
    content = (gsod.header + row).encode("latin-1")
    assert read(content)[0][ID].country == "NO"


def test_a_nul_byte_is_refused_with_its_line(gsod):
    content = gsod.csv(["  70.0"] * 3).replace(b"2020-01-03", b"2020-01\x0003")
    assert refusal(content).startswith("f.csv:4: a byte is NUL")


def test_an_empty_file_has_no_header():
    assert "no column STATION" in refusal(b"")


def test_a_file_with_a_header_only_has_no_rows(gsod):
    stations, quality = read(gsod.header.encode())
    assert stations == {}
    assert (quality.files, quality.rows) == (1, 0)


@pytest.mark.parametrize(
    "row", ['"1","2020-01-01"', '"1","2020-01-01"," 100.0","more"', '"1","2020-01-01']
)
def test_a_row_that_has_not_the_headers_fields_is_refused(row):
    assert "f.csv:2: " in refusal(f"STATION,DATE,TEMP\n{row}\n".encode())


def test_text_after_a_closing_quote_is_refused():
    assert "not well-formed CSV" in refusal(b'STATION,DATE,TEMP\n"1"x,2020-01-01, 70.0\n')


def test_a_row_without_a_station_is_refused():
    assert "f.csv:2: no STATION" in refusal(b"STATION,DATE,TEMP\n ,2020-01-01, 70.0\n")


def test_rows_of_other_years_and_days_that_do_not_exist_are_left_out_and_reported(gsod):
    rows = [
        gsod.row(day=day, temp=" 100.0")
        for day in ("2019-12-31", "2020-02-30", "01/02/2020", "2020-2-3", "2020-02-29")
    ]
    stations, quality = read((gsod.header + "".join(rows)).encode())
    assert stations[ID].rows == 1
    assert stations[ID].hits.bit_count() == 1
    assert (quality.other_years, quality.bad_dates) == (1, 3)
    assert quality.examples[1] == "f.csv:3: DATE '2020-02-30' is not a day"


def test_a_day_counts_once_and_its_first_valid_row_is_taken(gsod):
    rows = [gsod.row(temp=temp) for temp in ("9999.9", "  70.0", " 100.0", " 100.0")]
    stations, quality = read((gsod.header + "".join(rows)).encode())
    station = stations[ID]
    assert (station.rows, station.days, station.hits) == (4, 1, 0)
    assert quality.duplicate_days == 3


def test_quoted_commas_quotes_and_line_ends_are_part_of_a_field(gsod):
    row = gsod.row(temp=" 100.0", NAME='A ""B"", C\nD, OH US')
    assert read((gsod.header + row).encode())[0][ID].country == "US"


def test_a_year_has_the_days_of_the_calendar():
    assert len(days_of(2020)) == 366
    assert len(days_of(2019)) == len(days_of(1900)) == 365
    assert "2019-02-29" not in days_of(2019)
    assert days_of(2019)["2019-03-01"] == days_of(2020)["2020-03-01"] == 60


@pytest.mark.parametrize(
    "text", ["2020-02-30", "2020-W01-1", "20200101", "2020-1-01", "", "x" * 10]
)
def test_what_is_no_calendar_day_is_told_apart(text):
    assert not is_date(text)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("HORNSUND, NO", "NO"),
        ("SEBASTIAN INLET STATE PARK, FL US", "US"),
        ("A, B, C, CA", "CA"),
        ("", ""),
        ("WXPOD 7018", ""),
        ("SOMEWHERE, ", ""),
        ("SOMEWHERE, USA", ""),
    ],
)
def test_the_country_is_the_code_that_ends_the_name(name, code):
    assert country_of(name.encode()) == code
