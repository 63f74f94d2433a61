"""Every source says the same of every archive: what is wrong with it, or what it holds."""

import gzip
import io
import tarfile
from random import Random

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.loading import load_year
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.years import read

QUESTION = Question("TEMP", ">=", 70.0)
NAME = "10000000001.csv"


def member(kind, name="other", **fields):
    header = tarfile.TarInfo(name)
    header.type = kind
    for field, value in fields.items():
        setattr(header, field, value)
    return header, None


def archives(gsod):
    """Whole and damaged archives by what is special about them."""
    content = gsod.csv(["  70.0", "9999.9", "   NaN", " 1e309", "100.0*"])
    whole = gsod.packed([(NAME, content)])
    flipped = bytearray(whole)
    flipped[Random(3).randrange(20, len(whole) - 8)] ^= 1
    plain = gsod.tar([(NAME, content)])
    return {
        "whole": whole,
        "several gzip members": gzip.compress(plain[:700]) + gzip.compress(plain[700:]),
        "empty": b"",
        "one byte": whole[:1],
        "cut": whole[:-9],
        "cut at a member's end": gzip.compress(plain[:512]),
        "wrong checksum": whole[:-8] + bytes(4) + whole[-4:],
        "a flipped bit": bytes(flipped),
        "bytes behind the end": whole + b"more",
        "zeros behind the end": whole + bytes(512),
        "a plain tar": plain,
        "a zip": b"PK\x03\x04" + bytes(99),
        "a web page": b"<html>please log in</html>",
        "no tar": gzip.compress(b"nothing"),
        "no station": gsod.packed([]),
        "outside": gsod.packed([("../../x.csv", content)]),
        "absolute": gsod.packed([("/etc/passwd", content)]),
        "twice": gsod.packed([(NAME, content)] * 2),
        "links": gsod.packed(
            [
                (NAME, content),
                member(tarfile.SYMTYPE, linkname="/etc/passwd"),
                member(tarfile.LNKTYPE, "hard", linkname=NAME),
                member(tarfile.CHRTYPE, "device"),
            ]
        ),
        "no header": gsod.packed([(NAME, content.partition(b"\n")[2])]),
        "a column less": gsod.packed([(NAME, content.replace(b'"TEMP"', b'"WARMTH"'))]),
        "byte order mark and CRLF": gsod.packed(
            [(NAME, b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))]
        ),
        "latin-1": gsod.packed([(NAME, content.replace(b"SOMEWHERE", b"ST. M\xc9RY"))]),
        "NUL": gsod.packed([(NAME, content.replace(b"SOMEWHERE", b"SOME\0HERE"))]),
        "an empty member": gsod.packed([(NAME, b"")]),
    }


def outcome(where):
    try:
        counts = read(where, 2020, QUESTION).counts
    except DataProblem as problem:
        return problem.what, problem.evidence
    counts.archive.pop("source", None)
    return counts


def test_every_source_judges_every_archive_alike(https, plain_http, gsod, tmp_path):
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    folder.mkdir()
    read_well = set()
    for name, content in archives(gsod).items():
        (folder / "2020.tar.gz").write_bytes(content)
        https.files["2020.tar.gz"] = plain_http.files["2020.tar.gz"] = content
        expected = outcome(Where(str(folder)))
        assert outcome(Where(https.url)) == expected, name
        assert outcome(Where(plain_http.url)) == expected, name
        assert outcome(Where(https.url, str(cache))) == expected, name
        if not isinstance(expected, tuple):
            read_well.add(name)
            assert outcome(Where(https.url, str(cache))) == expected, f"{name}, cached"
    assert {"whole", "several gzip members", "links", "latin-1"} <= read_well
    assert not {"cut", "wrong checksum", "a flipped bit", "twice", "no header"} & read_well
    assert len(list(cache.glob("*.tar.gz"))) == len(read_well), "only whole archives are kept"


def test_real_files_give_the_same_counts_from_a_web_server(https, shared_gsod):
    for path in sorted((shared_gsod / "archives" / "repackaged").glob("*.tar.gz")):
        year = int(path.name.partition(".")[0])
        https.files[path.name] = path.read_bytes()
        there = read(Where(https.url), year, QUESTION).counts
        assert there.stations == read(Where(str(path.parent)), year, QUESTION).counts.stations
        assert there.quality.rows > 0


def test_files_in_the_format_until_2018_are_read_from_a_web_server(https, shared_gsod):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as packed:
        for path in sorted((shared_gsod / "archives" / "op" / "1960").glob("*.op.gz")):
            packed.add(path, path.name)
    https.files["1960.tar.gz"] = gzip.compress(held.getvalue())
    assert read(Where(https.url), 1960, QUESTION).counts.quality.files == 4


def test_a_years_bytes_are_those_of_its_archive_however_many_members_it_has(gsod, tmp_path):
    content = archives(gsod)["several gzip members"]
    (tmp_path / "2020.tar.gz").write_bytes(content)
    loaded = load_year(Where(str(tmp_path)), 2020, QUESTION)
    assert loaded.effort.bytes == len(content)
