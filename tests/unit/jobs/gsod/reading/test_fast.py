"""The fast way gives what the CSV parser gives, or leaves the file to it."""

import csv
import io
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.reading.csv_reader import read_csv
from jobs.gsod.reading.tar_stream import Member

FastReader = pytest.importorskip(
    "jobs.gsod.reading.fast", reason="NumPy comes with [gsod]"
).FastReader

QUESTIONS = [
    Question("TEMP", ">=", 100.0),
    Question("TEMP", ">=", 75.5),
    Question("TEMP", "<=", 32.0),
    Question("TEMP", "<=", -3.0),
    Question("MAX", ">=", 80.0),
    Question("MAX", ">=", -40.0),
]
NAMES = ["STATION", "DATE", "NAME", "TEMP", "DEWP", "MAX", "MAX_ATTRIBUTES"]


def by_csv(content, question, year=2020):
    """The one station of a file as the CSV parser sees it, or None where that refuses it."""
    try:
        stations, quality = read_csv(content, "", year, question)
    except DataProblem:
        return None
    clean = not (
        quality.refused or quality.bad_dates or quality.other_years or quality.duplicate_days
    )
    if not clean or len(stations) != 1:
        return None
    ((name, station),) = stations.items()
    return name, station, quality.missing


def members(*contents):
    """Files as they lie one behind the other in an archive's window."""
    window, found = bytearray(b"before"), []
    for number, content in enumerate(contents):
        start = len(window)
        window += content + b"\0" * 40
        found.append(Member(f"{number}.csv", window, start, start + len(content)))
    return found


def read(reader, *contents):
    """What each file holds, or None where CSV must read at least some of its lines."""
    quick = reader.read(members(*contents))
    return [None if isinstance(each, list) else each for each in quick]


def by_fast(content, question=QUESTIONS[0], year=2020):
    (quick,) = read(FastReader(year, question), content)
    return quick


def assert_equal(content, question, year=2020):
    quick = by_fast(content, question, year)
    if quick is not None:
        assert quick == by_csv(content, question, year)
    return quick


def table(rows, names=NAMES):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([names, *rows])
    return out.getvalue().encode("latin-1", "replace")


usual = st.floats(-130, 140).map(lambda value: f"{value:6.1f}")
odd = st.sampled_from(
    ["9999.9", "   NaN", " 100.0", " 1e309", "100.0*", "  -0.0", " 999.9", '"100.0']
)
value = st.one_of(usual, usual, usual, usual, usual, odd)
text = st.text(st.sampled_from('AB1, "\n\r\0é'), min_size=3, max_size=3)
day = st.integers(0, 365)


@st.composite
def files(draw):
    """Rows like NOAA's with now and then something else in them."""
    count = draw(st.integers(1, 40))
    dates = draw(st.lists(st.integers(0, 365), min_size=count, max_size=count, unique=True))
    if draw(st.booleans()):
        first = draw(st.integers(0, 366 - count))
        dates = list(range(first, first + count))
    odd_text = draw(st.booleans())
    rows = [
        [
            "A0000000001",
            (date(2020, 1, 1) + timedelta(days=each)).isoformat(),
            draw(text) if odd_text else "A, NO",
            draw(value),
            draw(usual),
            draw(value),
            draw(st.sampled_from(" *")),
        ]
        for each in dates
    ]
    if draw(st.integers(0, 4)) == 0:
        row = draw(st.integers(0, count - 1))
        column = draw(st.integers(0, len(NAMES) - 1))
        rows[row][column] = draw(st.sampled_from(["", "x", "2020-02-30", "2019-01-01", rows[0][1]]))
    return table(rows)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=files(), question=st.sampled_from(QUESTIONS))
def test_any_file_like_noaas_is_read_alike_or_left_to_csv(content, question):
    assert_equal(content, question)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    question=st.sampled_from(QUESTIONS),
    edits=st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.sampled_from([b'"', b",", b"\n", b"0", b" ", b"\0", b"\r", b"-"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_file_with_bytes_replaced_is_read_alike_or_left_to_csv(data, question, edits):
    content = bytearray(data.draw(files()))
    for at, new in edits:
        content[at % len(content)] = new[0]
    content = bytes(content)
    assert_equal(content, question)


@pytest.mark.parametrize("question", QUESTIONS)
def test_usual_files_take_the_fast_way(gsod, question):
    for count in (1, 2, 10, 200, 366):
        temps = [f"{60 + index % 45:6.1f}" for index in range(count)]
        assert assert_equal(gsod.csv(temps), question) is not None


def test_gaps_take_the_fast_way_too(gsod):
    rows = [gsod.row(day=day, temp=" 101.0") for day in gsod.days()[::3]]
    content = (gsod.header + "".join(rows)).encode()
    assert assert_equal(content, QUESTIONS[0])[1].hits.bit_count() == 122


def test_a_year_without_29_february_keeps_its_days_apart(gsod):
    content = gsod.csv([" 101.0"] * 365, year=2019)
    _, station, _ = assert_equal(content, QUESTIONS[0], 2019)
    assert station.days.bit_count() == 365
    assert not station.days >> 59 & 1


def test_days_in_another_order_are_left_to_csv(gsod):
    rows = [gsod.row(day=day, temp=" 101.0") for day in reversed(gsod.days(count=50))]
    content = (gsod.header + "".join(rows)).encode()
    assert assert_equal(content, QUESTIONS[0]) is None
    assert by_csv(content, QUESTIONS[0])[1].hits.bit_count() == 50


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"2020-01-05"', b'"2020-01-04"'),
        (b'"2020-01-05"', b'"2019-01-05"'),
        (b'"2020-01-05"', b'"2020-13-05"'),
        (b'"2020-01-05"', b'"2020/01/05"'),
        (b'"72429793812","2020-01-05"', b'"72429793813","2020-01-05"'),
        (b'"  75.0","', b'"   NaN","'),
        (b'"  75.0","', b'"  75.0";"'),
        (b'"000000"\n', b'"000000" '),
        (b'"000000"\n', b'"000000"\r'),
        (b'"000000"\n', b'"000000\n"'),
        (b"SOMEWHERE", b"SOMEWH\0RE"),
        (b'"STATION"', b'"STATIOM"'),
    ],
)
def test_what_differs_in_one_line_is_left_to_csv(gsod, old, new):
    temps = ["  71.0", "  72.0", "  73.0", "  74.0", "  75.0", "  76.0"]
    content = gsod.csv(temps)
    at = content.rindex(old)
    changed = content[:at] + new + content[at + len(old) :]
    assert by_fast(content) is not None
    assert by_fast(changed) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"000000"\n', b'"00"000"\n'),
        (b'"000000"\n', b'"00""00"\n'),
        (b'","  80.0"', b'"""  80.0"'),
        (b'","  80.0"', b'" "  80.0"'),
        (b'" 0.0"," 0.0","  80.0"', b'" 0.0""" 0.0","  80.0"'),
        (b'" 0.0"," 0.0","  80.0"', b'" 0.","0."," ","  80"'),
    ],
)
@pytest.mark.parametrize("line", [0, 2, 8, 9, 40])
def test_damage_in_a_column_that_nobody_asked_for_leaves_the_file_to_csv(gsod, old, new, line):
    lines = gsod.csv([" 101.0"] * 41).splitlines(keepends=True)
    assert by_fast(b"".join(lines)) is not None
    at = lines[line + 1].rindex(old)
    lines[line + 1] = lines[line + 1][:at] + new + lines[line + 1][at + len(old) :]
    changed = b"".join(lines)
    assert by_fast(changed) is None or line == 0
    assert_equal(changed, QUESTIONS[0])


@pytest.mark.parametrize("value", ["-070.0", "1 70.0", "  7:.0", "  70.:", "  70,0", " - 0.0"])
@pytest.mark.parametrize("line", [0, 1, 5])
def test_a_value_that_is_no_number_is_left_to_csv_wherever_it_stands(gsod, value, line):
    temps = ["  70.0"] * 6
    temps[line] = value
    assert_equal(gsod.csv(temps), QUESTIONS[1])
    if value != "-070.0":
        assert by_fast(gsod.csv(temps)) is None


@pytest.mark.parametrize("control", [b"\0", b"\t", b"\r", b"\n", b"\x1f"])
@pytest.mark.parametrize("place", [b"SOMEWHERE", b"FRSHTT", b"000000"])
def test_control_characters_anywhere_leave_the_file_to_csv(gsod, control, place):
    content = gsod.csv(["  70.0"] * 5)
    at = content.rindex(place) + 2
    changed = content[:at] + control + content[at + 1 :]
    assert by_fast(changed) is None
    assert by_fast(content) is not None


def test_reading_a_file_leaves_its_bytes_as_they_were(gsod):
    contents = [gsod.csv(["  70.0"] * 5), gsod.csv(["  70.0"] * 5, NAME="A\tB, US")]
    files = members(*contents)
    quick, parts = FastReader(2020, QUESTIONS[0]).read(files)
    assert quick[0] == "72429793812"
    assert parts == []
    assert [each.content for each in files] == contents


@pytest.mark.parametrize("blank", [" " * 11, "\xa0" * 11])
def test_a_station_without_a_name_is_left_to_csv(gsod, blank):
    content = gsod.csv(["  70.0"] * 3, "10000000001").replace(
        b"10000000001", blank.encode("latin-1")
    )
    assert by_fast(content) is None


@pytest.mark.parametrize("mark", ['"', "X", "*", " "])
def test_only_a_star_marks_a_maximum_as_derived(gsod, mark):
    content = gsod.csv(["  70.0"] * 3, MAX_ATTRIBUTES=mark)
    assert_equal(content, Question("MAX", ">=", 70.0))


def rearranged(content, names):
    """The same file with these columns only, in this order."""
    rows = csv.DictReader(io.StringIO(content.decode()))
    return table([[row[name] for name in names] for row in rows], names)


@pytest.mark.parametrize(
    "names",
    [
        ["STATION", "DATE", "NAME", "DEWP", "TEMP"],
        ["STATION", "DATE", "NAME", "MAX_ATTRIBUTES", "DEWP", "MAX"],
        ["STATION", "DATE", "NAME", "MAX", "DEWP", "MAX_ATTRIBUTES"],
        ["STATION", "DATE", "NAME", "DEWP", "MAX", "MAX_ATTRIBUTES"],
        ["DATE", "STATION", "NAME", "DEWP", "MAX", "MAX_ATTRIBUTES", "FRSHTT"],
    ],
)
@pytest.mark.parametrize("mark", ["*", " ", "**"])
def test_columns_where_noaa_does_not_have_them_are_read_alike_or_left_to_csv(gsod, names, mark):
    content = rearranged(gsod.csv(["  70.0"] * 4, MAX_ATTRIBUTES=mark), names)
    column = "MAX" if "MAX" in names else "TEMP"
    assert_equal(content, Question(column, ">=", 70.0))


def test_another_station_in_the_middle_is_seen_by_its_first_and_its_last_characters(gsod):
    for other in ("X2429793812", "7242979381X", "72429X93812"):
        lines = gsod.csv(["  70.0"] * 5).splitlines(keepends=True)
        lines[3] = lines[3].replace(b"72429793812", other.encode())
        assert by_fast(b"".join(lines)) is None


def test_a_file_of_too_many_lines_is_left_to_csv(gsod):
    rows = gsod.csv(["  70.0"] * 366) + gsod.csv(["  70.0"]).split(b"\n", 1)[1]
    assert by_fast(rows) is None


def test_two_short_rows_as_long_as_one_are_not_taken_for_it(gsod):
    rows = gsod.csv(["  71.0"] * 9).splitlines(keepends=True)
    length = len(rows[1])
    short = b'"72429793812","2020-01-11","1","1","1","N","  99.0"' + b',""' * 21 + b"\n"
    other = rows[1].replace(b"2020-01-01", b"2020-01-10")
    head = other[: length - len(short)].rstrip(b'"').rsplit(b",", 1)[0]
    doubled = head.ljust(length - len(short) - 1, b" ") + b"\n" + short
    assert len(doubled) == length
    assert by_fast(b"".join([*rows, doubled])) is None
    text = rows[1].replace(b"2020-01-01", b"2020-01-10").replace(b'" 0.0",', b'"\n0.0",', 1)
    assert len(text) == length
    assert by_fast(b"".join([*rows, text])) is None


def test_a_maximum_without_its_attributes_is_never_derived(gsod):
    names = ["STATION", "DATE", "MAX", "FLAG", "X"]
    days = [[f"2020-01-{n:02}", "  80.0", "*", "aaaaaaaaaa"] for n in range(1, 9)]
    assert assert_equal(table([["A0000000001", *row] for row in days], names), QUESTIONS[4]) is None


def test_a_file_without_a_line_end_does_not_slow_down_the_next(gsod):
    whole = gsod.csv([" 101.0"] * 5)
    reader = FastReader(2020, QUESTIONS[0])
    for contents in ([gsod.header.strip().encode(), whole, whole], [b"", whole]):
        quick = read(reader, *contents)
        assert [each is None for each in quick] == [True, *[False] * (len(contents) - 1)]


def test_one_reader_may_read_files_of_many_layouts(gsod):
    reader = FastReader(2020, QUESTIONS[0])
    contents = [gsod.csv([" 101.0"] * 5, NAME="N" * length + ", US") for length in range(1, 40)]
    expected = [by_csv(content, QUESTIONS[0]) for content in contents]
    assert reader.read(members(*contents)) == expected
    for content, each in zip(contents, expected, strict=True):
        assert reader.read(members(content)) == [each]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(contents=st.lists(files(), max_size=6), question=st.sampled_from(QUESTIONS))
def test_files_read_together_say_what_each_says_alone(contents, question):
    together = read(FastReader(2020, question), *contents)
    assert together == [by_fast(content, question) for content in contents]


def test_more_values_than_are_remembered_are_still_told_apart(gsod, monkeypatch):
    monkeypatch.setattr("jobs.gsod.reading.lines.VALUES_KEPT", 5)
    content = gsod.csv([f"{value:6.1f}" for value in range(60, 120)])
    assert assert_equal(content, QUESTIONS[0])[1].hits.bit_count() == 20


def test_every_real_file_takes_the_fast_way_and_is_read_alike(shared_gsod):
    paths = sorted(shared_gsod.glob("20??/*.csv"))
    assert len(paths) == 25
    for path in paths:
        for question in QUESTIONS:
            content = path.read_bytes()
            assert assert_equal(content, question, int(path.parent.name)) is not None, path
