"""Archives that are whole are read; archives that are not are refused, never answered from."""

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from dataclasses import replace
from random import Random

import pytest

from jobs.gsod.archive import DataProblem, archive_path, years_there
from jobs.gsod.counts import Question, YearCounts
from jobs.gsod.reading.gzip_stream import Limits
from jobs.gsod.reading.year import read_year

HOT = Question("TEMP", ">=", 70.0)


@pytest.fixture(autouse=True, params=["isal.igzip", "gzip"])
def codec(request, monkeypatch):
    """Every test holds for both programs that inflate."""
    module = pytest.importorskip(request.param, reason="igzip comes with the extra [gsod]")
    monkeypatch.setattr("jobs.gsod.reading.gzip_stream.codec", module)


def read(path, question=HOT, **options):
    return read_year(path, 2020, question, **options)


def refusal(path, question=HOT, **options):
    with pytest.raises(DataProblem) as refused:
        read(path, question, **options)
    return "\n".join([refused.value.what, *refused.value.evidence])


@pytest.fixture
def two(gsod):
    return [
        ("10000000001.csv", gsod.csv(["  70.0", "  69.9", " 100.0"], "10000000001")),
        ("A0000000002.csv", gsod.csv(["  71.0"] * 366, "A0000000002")),
    ]


def test_stations_rows_days_and_hits_are_counted(year_file, gsod, two):
    counts = read(year_file(gsod.packed(two)))
    first, second = counts.stations["10000000001"], counts.stations["A0000000002"]
    assert (first.rows, first.days.bit_count(), first.hits.bit_count()) == (3, 3, 2)
    assert (second.rows, second.days.bit_count(), second.hits.bit_count()) == (366, 366, 366)
    assert first.country == "US"
    assert counts.quality.files == 2
    assert counts.quality.rows == 369


def test_counts_arrive_at_the_driver_as_they_left_the_task(year_file, gsod, two):
    counts = read(year_file(gsod.packed(two)))
    assert pickle.loads(pickle.dumps(counts)) == counts
    assert pickle.loads(pickle.dumps(YearCounts(2020))) == YearCounts(2020)


def test_size_and_sha256_of_the_archive_come_with_the_counts(year_file, gsod, two):
    import hashlib

    content = gsod.packed(two)
    counts = read(year_file(content))
    assert counts.archive["bytes"] == len(content)
    assert counts.archive["sha256"] == hashlib.sha256(content).hexdigest()
    assert counts.archive["inflated_bytes"] == len(gsod.tar(two))


def test_an_archive_of_several_gzip_members_is_one_archive(year_file, gsod, two):
    whole = gsod.tar(two)
    content = gzip.compress(whole[:5000]) + gzip.compress(whole[5000:])
    assert read(year_file(content)).quality.rows == 369


def test_a_gzip_header_with_a_name_a_comment_and_extras_is_read(year_file, gsod, two):
    body = gsod.packed(two)
    header = bytes([0x1F, 0x8B, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3])
    optional = struct.pack("<H", 3) + b"xyz" + b"2020.tar\0" + b"a comment\0"
    crc = struct.pack("<H", zlib.crc32(header + optional) & 0xFFFF)
    assert read(year_file(header + optional + crc + body[10:])).quality.rows == 369


def boundaries(content, inflated):
    """Positions of interest in an archive that is cut short: one name and length each."""
    yield "nothing", 0
    yield "inside the gzip magic", 1
    yield "inside the gzip header", 5
    yield "after the gzip header", 10
    yield "inside the data", len(content) // 2
    yield "before the trailer", len(content) - 8
    yield "inside the CRC", len(content) - 6
    yield "before the length", len(content) - 4
    yield "the last byte", len(content) - 1


def test_a_file_cut_short_anywhere_is_refused(year_file, gsod, two):
    content = gsod.packed(two)
    for name, length in boundaries(content, gsod.tar(two)):
        said = refusal(year_file(content[:length]))
        assert "cut short" in said or "is empty" in said, name


def test_a_file_cut_at_every_byte_is_refused(year_file, gsod):
    content = gsod.packed([("10000000001.csv", gsod.csv(["  70.0"] * 3, "10000000001"))])
    for length in range(len(content)):
        refusal(year_file(content[:length]))


def test_a_tar_cut_at_every_block_and_packed_well_is_refused(year_file, gsod, two):
    whole = gsod.tar(two)
    data_end = len(whole.rstrip(b"\0"))
    end = -(-data_end // 512) * 512 + 1024
    for length in range(0, end, 512):
        said = refusal(year_file(gzip.compress(whole[:length])))
        assert "cut short" in said, length
    assert read(year_file(gzip.compress(whole[:end]))).quality.rows == 369


def test_a_tar_cut_inside_a_block_is_refused(year_file, gsod, two):
    whole = gsod.tar(two)
    for length in (1, 511, 513, 1000, len(whole) // 2 + 7):
        refusal(year_file(gzip.compress(whole[:length])))


def test_a_wrong_crc_and_a_wrong_length_are_refused(year_file, gsod, two):
    content = gsod.packed(two)
    wrong_crc = content[:-8] + bytes(4) + content[-4:]
    wrong_length = content[:-4] + bytes(4)
    for content, said in ((wrong_crc, "CRC check failed"), (wrong_length, "Incorrect length")):
        refused = refusal(year_file(content))
        assert "is corrupt" in refused
        assert said in refused


@pytest.mark.parametrize("rest", [b"x", b"\0", b"\0" * 512, b"<html>", b"\x1f\x8b"])
def test_bytes_after_the_end_of_the_gzip_are_refused(year_file, gsod, two, rest):
    said = refusal(year_file(gsod.packed(two) + rest))
    assert "other bytes after its end" in said or "cut short" in said


def test_bytes_after_the_end_of_the_tar_are_refused(year_file, gsod, two):
    said = refusal(year_file(gzip.compress(gsod.tar(two) + b"more")))
    assert "other bytes after its end" in said


def test_a_second_archive_after_the_first_is_refused(year_file, gsod, two):
    refusal(year_file(gsod.packed(two) + gsod.packed(two)))


def test_one_closing_block_is_not_two(year_file, gsod, two):
    whole = gsod.tar(two).rstrip(b"\0")
    whole += bytes(-len(whole) % 512 + 512)
    assert "second closing block" in refusal(year_file(gzip.compress(whole)))


def test_a_web_page_saved_as_an_archive_is_named_as_such(year_file):
    said = refusal(year_file(b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>"))
    assert "is not a gzip file" in said
    assert "web page" in said


def test_a_packed_web_page_is_refused(year_file):
    refusal(year_file(gzip.compress(b"<html>" + b"x" * 2000)))


def test_an_empty_archive_holds_no_station(year_file, gsod):
    assert "holds no station's file" in refusal(year_file(gsod.packed([])))


def member(name, kind=tarfile.REGTYPE, **changes):
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in changes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "character device"),
        (tarfile.BLKTYPE, "block device"),
        (tarfile.FIFOTYPE, "fifo"),
        (tarfile.DIRTYPE, "folder"),
    ],
)
def test_what_is_no_regular_file_is_passed_over_and_counted(year_file, gsod, two, kind, said):
    link = member("../../etc/passwd", kind, linkname="/etc/passwd")
    counts = read(year_file(gsod.packed([(link, None), *two])))
    assert counts.quality.skipped_members == {said: 1}
    assert counts.quality.rows == 369


def test_an_archive_of_links_only_holds_no_station(year_file, gsod):
    link = member("10000000001.csv", tarfile.SYMTYPE, linkname="/etc/passwd")
    assert "holds no station's file" in refusal(year_file(gsod.packed([(link, None)])))


@pytest.mark.parametrize(
    "name", ["../../x.csv", "/etc/passwd", "a/../../x.csv", "..", "\\\\host\\x", "a\nb.csv", "./"]
)
def test_a_hostile_name_is_refused(year_file, gsod, two, name):
    assert "member" in refusal(year_file(gsod.packed([(name, two[0][1])])))


def test_a_leading_dot_slash_is_harmless(year_file, gsod, two):
    counts = read(year_file(gsod.packed([(f"./{name}", content) for name, content in two])))
    assert counts.quality.rows == 369


def test_a_member_that_comes_twice_is_refused(year_file, gsod, two):
    assert "comes twice" in refusal(year_file(gsod.packed([*two, two[0]])))
    disguised = ("./" + two[0][0], two[0][1])
    assert "comes twice" in refusal(year_file(gsod.packed([*two, disguised])))


def test_long_names_and_pax_headers_of_other_tar_programs_are_read(year_file, two):
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for name, content in two:
                info = member("folder/" * 20 + name, size=len(content), mtime=1.5)
                archive.addfile(info, io.BytesIO(content))
        assert read(year_file(gzip.compress(out.getvalue()))).quality.rows == 369


@pytest.mark.parametrize("window", [512, 513, 1024, 5000, 60_000, 2**20])
def test_the_size_of_the_window_changes_nothing(year_file, gsod, two, window, monkeypatch):
    more = [(f"{n:011}.csv", gsod.csv(["  70.0"] * n, f"{n:011}")) for n in range(1, 60, 7)]
    link = member("x", tarfile.SYMTYPE, linkname="y")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in [*two, *more]:
            info = member("folder/" * 20 + name, size=len(content))
            archive.addfile(info, io.BytesIO(content))
            archive.addfile(link)
    path = year_file(gzip.compress(out.getvalue()))
    usual = read(path)
    monkeypatch.setattr("jobs.gsod.reading.tar_stream.WINDOW", window)
    assert read(path) == usual
    assert read(path, threads=2) == usual
    assert usual.quality.rows == 369 + sum(range(1, 60, 7))
    assert usual.quality.skipped_members == {"symbolic link": 11}


def odd_archive(gsod, seed):
    """Files of one station or parts of it, some of them with something that is unusual."""
    random = Random(seed)
    made = []
    for number in range(random.randrange(1, 9)):
        temps = [f"{random.uniform(-99, 120):6.1f}" for _ in range(random.randrange(1, 15))]
        content = gsod.csv(
            temps,
            random.choice(["00000000001", "00000000002", "A0000000003"]),
            first=random.randrange(350),
            NAME=random.choice(["A, NO", "LONGER NAME, US", 'QUOTED ""NAME"", US']),
            MAX=random.choice(["  80.0", " -10.0", "9999.9"]),
            MAX_ATTRIBUTES=random.choice(" *"),
        )
        oddities = [
            lambda text: text.replace(b"  80.0", b"   NaN", 1),
            lambda text: text[:-1],
            lambda text: text.replace(b"\n", b"\r\n"),
            lambda text: text + text[len(gsod.header) :],
            lambda text: text.replace(b'"', b""),
            lambda text: text.replace(b"2020-", b"2019-", 1),
        ]
        if random.random() < 0.4:
            content = random.choice(oddities)(content)
        made.append((f"{number}.csv", content))
    return gsod.packed(made)


def answer(path, question):
    """The counters of an archive, or what is wrong with it."""
    try:
        counts = read(path, question)
    except DataProblem as problem:
        return problem.what, problem.evidence
    return counts.stations, replace(counts.quality, files_by_csv=0)


@pytest.mark.parametrize("seed", range(30))
def test_an_archive_of_odd_files_says_the_same_with_and_without_numpy(
    year_file, gsod, seed, monkeypatch
):
    pytest.importorskip("jobs.gsod.reading.fast", reason="NumPy comes with [gsod]")
    monkeypatch.setattr("jobs.gsod.reading.tar_stream.WINDOW", 4096)
    path = year_file(odd_archive(gsod, seed))
    questions = [HOT, Question("MAX", "<=", 0.0)]
    quick = [answer(path, question) for question in questions]
    monkeypatch.setattr("jobs.gsod.reading.year.WITH_NUMPY", False)
    assert [answer(path, question) for question in questions] == quick


@pytest.mark.parametrize("key", ["size", "GNU.sparse.major"])
def test_a_pax_header_that_changes_a_size_is_refused(year_file, two, key):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = member(two[0][0], size=len(two[0][1]), pax_headers={key: "1"})
        archive.addfile(info, io.BytesIO(two[0][1]))
    assert "not an archive of NOAA's" in refusal(year_file(gzip.compress(out.getvalue())))


def extension(kind, content):
    """A member that says something about others, with its blocks."""
    info = member("extension", kind, size=len(content))
    return info.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % 512)


def test_an_extension_header_that_names_all_members_alike_is_refused(year_file, gsod, two):
    whole = extension(tarfile.XGLTYPE, b"14 path=x.csv\n") + gsod.tar(two)
    assert "names all members alike" in refusal(year_file(gzip.compress(whole)))


def test_an_extension_header_without_a_member_is_refused(year_file, gsod, two):
    whole = gsod.tar(two)
    end = len(whole.rstrip(b"\0"))
    end += -end % 512
    whole = whole[:end] + extension(tarfile.GNUTYPE_LONGNAME, b"long.csv\0") + bytes(1024)
    assert "its last extension header has no member" in refusal(year_file(gzip.compress(whole)))


def test_a_long_name_is_for_one_member_only(year_file, gsod, two):
    whole = extension(tarfile.GNUTYPE_LONGNAME, b"first.csv\0") + gsod.tar(two)
    assert read(year_file(gzip.compress(whole))).quality.files == 2


def test_an_extension_header_larger_than_any_name_is_refused(year_file, gsod, two):
    whole = extension(tarfile.GNUTYPE_LONGNAME, b"x" * (2**16 + 1)) + gsod.tar(two)
    assert "too large" in refusal(year_file(gzip.compress(whole)))


def test_more_members_than_there_are_stations_are_refused(year_file, gsod, two, monkeypatch):
    monkeypatch.setattr("jobs.gsod.reading.tar_stream.MAX_MEMBERS", 1)
    assert "more than 1 members" in refusal(year_file(gsod.packed(two)))


@pytest.mark.parametrize(
    ("kind", "said"), [(b"5", "claims to have content"), (b"Z", "of the unknown kind")]
)
def test_content_that_should_not_be_is_refused_before_it_is_waited_for(
    year_file, gsod, two, kind, said
):
    info = member("x", kind, size=2**30)
    whole = info.tobuf(tarfile.USTAR_FORMAT) + gsod.tar(two)
    assert said in refusal(year_file(gzip.compress(whole)))


def test_a_very_long_name_is_cut_in_the_message(year_file, gsod, two):
    whole = extension(tarfile.GNUTYPE_LONGNAME, b"../" + b"x" * 5000) + gsod.tar(two)
    said = refusal(year_file(gzip.compress(whole)))
    assert "outside of the archive" in said
    assert len(said) < 300


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_is_named_also_where_its_effect_is_met_windows_earlier(year_file, gsod, threads):
    rows = gsod.csv(["  70.0"] * 366, "10000000001")
    many = [(f"{n:011}.csv", rows.replace(b"10000000001", b"%011d" % n)) for n in range(60)]
    content = bytearray(gzip.compress(gsod.tar(many), 0, mtime=0))
    # Stored, not compressed: the second member's header is changed, and only the CRC tells.
    at = content.index(b"00000000001.csv")
    content[at] = ord("X")
    assert "2020.tar.gz is corrupt" in refusal(year_file(bytes(content)), threads=threads)


def patched(whole, at, new):
    """A tar whose first header has other bytes at a place, with a checksum that fits."""
    header = bytearray(whole[:512])
    header[at : at + len(new)] = new
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + whole[512:]


@pytest.mark.parametrize("size", [b"77777777777\0", b"\x80" + bytes(10) + b"\1", b"-1         \0"])
def test_an_absurd_member_size_is_refused(year_file, gsod, two, size):
    whole = patched(gsod.tar(two), 124, size)
    said = refusal(year_file(gzip.compress(whole)))
    assert "claims" in said or "size is" in said


def test_an_unknown_kind_of_member_is_refused(year_file, gsod, two):
    whole = patched(gsod.tar(two), 156, b"S")
    assert "unknown kind" in refusal(year_file(gzip.compress(whole)))


def test_a_link_that_claims_content_is_refused(year_file, gsod, two):
    whole = patched(gsod.tar(two), 156, b"2")
    assert "claims to have content" in refusal(year_file(gzip.compress(whole)))


def test_a_damaged_header_is_refused(year_file, gsod, two):
    whole = bytearray(gsod.tar(two))
    whole[3] ^= 1
    assert "checksum" in refusal(year_file(gzip.compress(bytes(whole))))


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size(year_file, gsod):
    content = gsod.packed([("10000000001.csv", bytes(4 * 2**20))])
    path = year_file(content)
    assert "times its size" in refusal(path, limits=Limits(ratio=200, ratio_from=2**20))
    assert "inflates to more than" in refusal(path, limits=Limits(total=2**20))


def test_a_member_larger_than_any_station_is_refused_before_it_is_held(year_file, gsod):
    content = gsod.packed([("10000000001.csv", bytes(17 * 2**20))])
    assert "claims 17,825,792 bytes" in refusal(year_file(content))


def test_a_missing_year_lists_those_that_are_there(tmp_path):
    for year in (1980, 1981, 1982, 2020):
        (tmp_path / f"{year}.tar.gz").touch()
    with pytest.raises(DataProblem) as refused:
        archive_path(tmp_path, 1999)
    assert refused.value.what == f"1999.tar.gz is not in {tmp_path}"
    assert refused.value.evidence == ("years there: 1980..1982 2020",)


def test_of_very_many_years_the_first_are_listed_and_the_others_counted():
    years = list(range(0, 9998, 2))
    text = years_there(years)
    assert text.startswith("years there: 0 2 4 ")
    assert text.endswith(f" 598 and {len(years) - 300:,} more")
    assert years_there(years[:300]).endswith(" 596 598")


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataProblem) as refused:
        archive_path(tmp_path / "nowhere", 1999)
    assert "does not exist" in refused.value.evidence[0]


def test_a_folder_under_the_archives_name_is_no_archive(tmp_path):
    (tmp_path / "2020.tar.gz").mkdir()
    with pytest.raises(DataProblem, match="is not in"):
        archive_path(tmp_path, 2020)


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"PK\x03\x04", "a zip archive"),
        (b"BZh91AY&SY", "bzip2 data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"\x28\xb5\x2f\xfd", "Zstandard data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b'"STATION","DATE"', "one station's CSV file"),
        (b'<?xml version="1.0"?><Error/>', "an XML document"),
    ],
)
def test_another_format_under_an_archives_name_is_named(year_file, beginning, name):
    said = refusal(year_file(beginning + b"x" * 3000))
    assert "2020.tar.gz is not a gzip file" in said
    assert f"it looks like {name}" in said
    inside = refusal(year_file(gzip.compress(beginning + b"x" * 3000)))
    assert "2020.tar.gz is not a whole, well-formed archive" in inside
    assert f"it looks like {name}" in inside


def test_an_archive_without_compression_or_with_two_is_named(year_file, gsod, two):
    said = refusal(year_file(gsod.tar(two)))
    assert "it looks like a tar archive without compression" in said
    assert "it looks like gzip data" in refusal(year_file(gzip.compress(gsod.packed(two))))


def test_a_member_that_is_packed_itself_is_named(year_file, gsod, two):
    said = refusal(year_file(gsod.packed([*two, ("x.csv", gzip.compress(b"x"))])))
    assert "2020.tar.gz: x.csv is gzip data, not CSV" in said


def test_what_macos_puts_beside_each_file_is_passed_over_and_counted(year_file, gsod, two):
    extra = [(f"._{name}", b"\0\x05\x16\x07" + b"\0" * 160) for name, _ in two]
    counts = read(year_file(gsod.packed([*extra, *two])))
    assert counts.quality.files == 2
    assert counts.quality.skipped_members == {"macOS metadata": 2}
    assert "holds no station's file" in refusal(year_file(gsod.packed(extra)))


def test_a_file_that_only_has_the_name_of_macos_metadata_is_read(year_file, gsod, two):
    (_, content), other = two
    counts = read(year_file(gsod.packed([("._10000000001.csv", content), other])))
    assert counts.quality.files == 2


def test_decimals_of_any_number_are_read(year_file, gsod):
    counts = read(year_file(gsod.packed([("x.csv", gsod.csv(["69.999999", "70.000001"]))])))
    (station,) = counts.stations.values()
    assert (station.days.bit_count(), station.hits.bit_count()) == (2, 1)
