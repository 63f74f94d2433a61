"""Of a file with odd lines, CSV reads the odd ones only, and the answer is that of CSV alone."""

import gc

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

TEMP, MAX = Question("TEMP", ">=", 75.5), Question("MAX", "<=", 80.0)
QUESTIONS = [TEMP, MAX, Question("TEMP", "<=", 32.0)]
ID, OTHER = "72429793812", "A0000000001"


def parts_of(content, question=TEMP):
    """The parts of a file that need no CSV, or None if the file as a whole needs none."""
    window = bytearray(b"before" + content + b"\0" * 40)
    (read,) = FastReader(2020, question).read([Member("f.csv", window, 6, 6 + len(content))])
    return read if isinstance(read, list) else None


def outcome(content, question, parts=()):
    """What CSV makes of a file; what is refused, with its line, if it refuses it."""
    try:
        return read_csv(content, "f.csv", 2020, question, parts)
    except DataProblem as problem:
        return problem.what, problem.evidence


def assert_alike(content, question=TEMP):
    """The parts of a file, which change nothing about what CSV makes of it."""
    parts = parts_of(content, question)
    assert outcome(content, question, parts or ()) == outcome(content, question)
    return parts


def lines_for_csv(content, question=TEMP):
    """The lines that CSV still has to read."""
    parts = assert_alike(content, question)
    assert parts is not None
    left, at = [], content.index(b"\n") + 1
    for part in parts:
        left += content[at : part.start].splitlines()
        at = part.stop
    return left + content[at:].splitlines()


def split(content):
    header, *lines = content.splitlines(keepends=True)
    return header, lines


@pytest.fixture
def year(gsod):
    """A regular year of one station: its header and its lines."""
    return split(gsod.csv([f"{60 + day % 30:6.1f}" for day in range(366)]))


def test_a_station_that_moved_needs_no_csv(gsod):
    before = gsod.csv(["  70.0"] * 100, LATITUDE="39.1", NAME="LUNKEN, OH US")
    after = gsod.csv(["  80.0"] * 200, first=100, LATITUDE="39.1033", NAME="CINCINNATI, OH US")
    assert lines_for_csv(before + b"".join(split(after)[1])) == []


def test_a_station_that_moved_to_lines_of_the_same_length_needs_no_csv(gsod):
    before = gsod.csv(["  70.0"] * 100, LATITUDE="39.1", LONGITUDE="-84.419")
    after = gsod.csv(["  80.0"] * 50, first=100, LATITUDE="39.103", LONGITUDE="-84.4")
    assert lines_for_csv(before + b"".join(split(after)[1])) == []
    assert lines_for_csv(after + b"".join(split(before)[1])) == []


@pytest.mark.parametrize("at", [0, 8, 100, 183, 365])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"  80.0"', b'"  80.00"'),
        (b'"SOMEWHERE, OH US"', b'"ELSEWHERE, ABROAD"'),
        (b'"  80.0"', b'" 999.9"'),
        (b'"  80.0"', b'"   NaN"'),
        (b'"2020-', b'"2019-'),
        (b'"2020-', b'"2020/'),
        (b'"000000"', b'"0,0"",0"'),
        (b'"SOMEWHERE', b'"SOME\nHERE'),
        (b'"000000"', b"000000"),
        (b"\n", b"\r\n"),
    ],
)
def test_csv_reads_an_odd_line_and_the_fast_way_the_others(year, at, old, new):
    header, lines = year
    lines[at] = lines[at].replace(old, new, 1)
    left = lines_for_csv(header + b"".join(lines), MAX)
    assert set(lines[at].splitlines()) <= set(left)
    # The line behind one with a wrong date may be read by CSV, too.
    assert len(left) <= 2 or at < 8


@pytest.mark.parametrize(
    "odd", [b'"', b'"x\n', b"\0", b'"a"b\n', b"1,2\n", b'" ","2020-01-01"\n', b"\r", b"\n", b" \n"]
)
@pytest.mark.parametrize("at", [0, 7, 8, 100, 366])
def test_damage_between_lines_is_refused_alike(year, odd, at):
    header, lines = year
    lines.insert(at, odd)
    assert_alike(header + b"".join(lines))


def test_a_quote_that_is_left_open_makes_no_part_of_what_follows(year):
    header, lines = year
    lines[100] = lines[100][:-2] + b"\n"
    for closing in (lines[200], b'x"' + lines[200][1:], b'",' + lines[200]):
        lines[200] = closing
        assert_alike(header + b"".join(lines))


def test_a_text_with_whole_lines_in_it_is_one_field(year):
    header, lines = year
    inside = b"".join(lines[100:130]).replace(b'"', b'""')
    lines[50] = lines[50].replace(b"SOMEWHERE", b"SOME" + inside)
    assert_alike(header + b"".join(lines))
    bare = b"".join(lines[100:130]).replace(b'"', b"")
    lines[60] = lines[60].replace(b"SOMEWHERE", b"SOME" + bare)
    assert_alike(header + b"".join(lines))


def test_days_that_come_again_count_once_and_the_first_valid_value_is_taken(gsod):
    first = gsod.csv(["9999.9"] * 20 + ["  90.0"] * 20)
    again = split(gsod.csv(["  70.0"] * 40))[1]
    content = first + b"".join(again)
    assert lines_for_csv(content) == []
    stations, quality = outcome(content, TEMP, parts_of(content))
    assert (stations[ID].days.bit_count(), stations[ID].hits.bit_count()) == (40, 20)
    assert (quality.rows, quality.duplicate_days, quality.missing) == (80, 40, 20)


def test_several_stations_in_one_file_are_kept_apart(gsod):
    one, other = gsod.csv(["  70.0"] * 30, NAME="A, NO"), gsod.csv(["  80.0"] * 30, OTHER)
    content = one + b"".join(split(other)[1] + split(one)[1])
    assert lines_for_csv(content) == []
    stations, _ = outcome(content, TEMP, parts_of(content))
    assert [station.rows for station in stations.values()] == [60, 30]


def test_the_country_is_that_of_a_stations_first_row(gsod):
    nowhere = gsod.csv(["  70.0"] * 30, NAME="AT SEA")
    later = gsod.csv(["  70.0"] * 30, first=30, NAME="BOUVET, NO")
    content = nowhere + b"".join(split(later)[1])
    assert lines_for_csv(content) == []
    (station,) = outcome(content, TEMP, parts_of(content))[0].values()
    assert station.country == ""


def test_a_byte_order_mark_shifts_nothing(year):
    header, lines = year
    lines[100] = lines[100].replace(b"  80.0", b"   NaN")
    assert len(lines_for_csv(b"\xef\xbb\xbf" + header + b"".join(lines), MAX)) == 1


def test_the_last_line_may_lack_its_end(year):
    header, lines = year
    assert len(lines_for_csv(header + b"".join(lines)[:-1])) == 1


def test_days_backwards_and_lines_of_all_lengths_are_read_by_csv(gsod, year):
    header, lines = year
    assert len(lines_for_csv(header + b"".join(reversed(lines)))) == 366
    ragged = [line.replace(b"SOMEWHERE", b"N" * (at % 9)) for at, line in enumerate(lines)]
    assert len(lines_for_csv(header + b"".join(ragged))) == 366


def test_a_large_file_is_left_to_csv(gsod):
    header, lines = split(gsod.csv(["  70.0"] * 366))
    content = header + b"".join(lines) * 4
    assert len(content) > 2**18
    assert len(lines_for_csv(content)) == 366 * 4
    assert lines_for_csv(header + b"".join(lines) * 3) == []


def test_an_odd_file_between_regular_ones_gets_its_own_parts(gsod, year):
    header, lines = year
    lines[100] = b"\n"
    contents = [gsod.csv(["  70.0"] * 30), header + b"".join(lines), b"", gsod.csv(["  70.0"] * 5)]
    window, members = bytearray(b"before"), []
    for content in contents:
        start = len(window)
        window += content + b"\0" * 512
        members.append(Member("f.csv", window, start, start + len(content)))
    read = FastReader(2020, TEMP).read(members)
    assert [isinstance(each, list) for each in read] == [False, True, True, False]
    assert [len(each) for each in read[1:3]] == [2, 0]


def test_reading_leaves_nothing_to_the_garbage_collector(gsod, year):
    header, lines = year
    lines[100] = lines[100].replace(b"  80.0", b"   NaN")
    odd = header + b"".join(lines)
    damaged = odd + b'"'
    gc.collect()
    gc.disable()
    try:
        for content in (odd, odd.replace(b'"', b""), damaged, gsod.csv([])):
            parts = parts_of(content, MAX)
            outcome(content, MAX, parts or ())
            del parts
        assert gc.collect() == 0
    finally:
        gc.enable()


line_changes = st.sampled_from(
    [
        *[(b'"  80.0"', value) for value in (b'"9999.9"', b'"   NaN"', b'" 100.0"', b'"80.0"')],
        *[(b'"2020-', value) for value in (b'"2019-', b'"2020/', b'"2021-', b'"20-')],
        *[
            (b'"SOMEWHERE', name)
            for name in (b'"S', b'"ANY ""A"', b'"A\n\n', b'"A\r', b'"\xe9\xe9')
        ],
        *[(b"\n", end) for end in (b"\r\n", b"\r", b"\n\n", b"", b'"\n', b"\n\0", b'\n"', b"\n,")],
        *[(b'"', b""), (b'","', b","), (b'","', b'" "'), (b"72429793812", b"           ")],
        *[(b"72429793812", b"A0000000001"), (b" 0.0", b""), (b'" 0.0"', b'"""0."')],
    ]
)


@st.composite
def irregular(draw, gsod):
    """Runs of lines as NOAA writes them, of one or more stations, some of them with odd lines."""
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        first, count = draw(st.integers(0, 300)), draw(st.integers(1, 40))
        changes = {"NAME": draw(st.sampled_from(["SOMEWHERE, OH US", "SOMEWHERE", "X, NO"]))}
        changes["MAX_ATTRIBUTES"] = draw(st.sampled_from(" *"))
        temps = [draw(st.sampled_from(["  70.1", "9999.9", " -10.0", "  75.5"]))] * count
        station = draw(st.sampled_from([ID, ID, ID, OTHER]))
        lines += split(gsod.csv(temps, station, first=first, **changes))[1]
    for _ in range(draw(st.integers(0, 4))):
        at, (old, new) = draw(st.integers(0, len(lines) - 1)), draw(line_changes)
        lines[at] = lines[at].replace(old, new, draw(st.sampled_from([1, 1, -1])))
    return split(gsod.csv([]))[0] + b"".join(lines)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), question=st.sampled_from(QUESTIONS))
def test_any_irregular_file_is_read_as_csv_alone_reads_it(gsod, data, question):
    assert_alike(data.draw(irregular(gsod)), question)


def test_an_empty_file_takes_nothing_from_the_one_that_begins_where_it_does(gsod):
    content = gsod.csv(["  80.0"] * 40)
    window = bytearray(b"before" + content + b"\0" * 40)
    members = [Member("empty.csv", window, 6, 6), Member("f.csv", window, 6, 6 + len(content))]
    empty, whole = FastReader(2020, TEMP).read(members)
    assert empty == []
    assert not isinstance(whole, list)
