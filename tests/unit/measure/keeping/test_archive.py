"""An archive comes back as it was written, and nothing else is taken for one."""

import gzip
import io
import os
import subprocess
import tarfile
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit.measure.keeping import archive
from raykit.measure.keeping.archive import BadArchiveError, File

RUN = "20260101-000000-fib-aaaa"


def files(folder, **contents):
    """`files(tmp_path, driver_log=b"…")`: files to be archived."""
    for name, content in contents.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content)
        yield File(RUN, path.name, path)


def written(*given_files):
    out = io.BytesIO()
    archive.write(out, given_files)
    return out.getvalue()


def read(data):
    return [(e.run, e.name, b"".join(e.chunks)) for e in archive.read(io.BytesIO(data))]


def packed(*members, **options):
    """A gzipped tar as anybody may make one. members: (name, content, fields of its header)."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w:gz", format=options.get("form", tarfile.USTAR_FORMAT)
    ) as tar:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_an_archive_is_read_as_it_was_written(tmp_path):
    log = os.urandom(3_000_000)
    data = written(*files(tmp_path, record_json=b"{}", driver_log=log, events_jsonl=b""))
    assert read(data) == [
        (RUN, "record.json", b"{}"),
        (RUN, "driver.log", log),
        (RUN, "events.jsonl", b""),
    ]


def test_the_same_files_give_the_same_bytes(tmp_path):
    one = written(*files(tmp_path, record_json=b"{}"))
    (tmp_path / "record.json").touch()
    assert one == written(*files(tmp_path, record_json=b"{}"))


def test_gnu_tar_lists_an_archive(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(written(*files(tmp_path, record_json=b"{}")))
    done = subprocess.run(
        ["tar", "tzf", tmp_path / "a.tar.gz"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"raykit-runs/{RUN}/record.json\n"


def test_a_folder_that_gnu_tar_packed_again_is_read(tmp_path):
    folder = tmp_path / "raykit-runs" / RUN
    folder.mkdir(parents=True)
    (folder / "record.json").write_bytes(b"{}")
    words = ["tar", "czf", "a.tar.gz", "raykit-runs"]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert read((tmp_path / "a.tar.gz").read_bytes()) == [(RUN, "record.json", b"{}")]


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_an_archive_that_is_cut_anywhere_is_refused(tmp_path_factory, at):
    folder = tmp_path_factory.mktemp("cut")
    data = written(*files(folder, record_json=b"{}", driver_log=os.urandom(2000)))
    with pytest.raises(BadArchiveError):
        read(data[: at % len(data)])


@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path_factory, place, bit):
    folder = tmp_path_factory.mktemp("flip")
    data = bytearray(written(*files(folder, record_json=b"{}", driver_log=b"said " * 90)))
    whole = read(bytes(data))
    data[place % len(data)] ^= 1 << bit
    try:
        found = read(bytes(data))
    except BadArchiveError:
        return
    # Some bits mean nothing: a time in gzip's header, and what fills up its last byte.
    assert found == whole


NAME = f"raykit-runs/{RUN}/record.json"


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        (f"raykit-runs/{RUN}/../../x", {}, "is no file of a run"),
        ("raykit-runs/../record.json", {}, "is no file of a run"),
        ("raykit-runs/.hidden/record.json", {}, "is no file of a run"),
        ("/raykit-runs/x/record.json", {}, "is no file of a run"),
        ("../raykit-runs/x/record.json", {}, "is no file of a run"),
        ("raykit-runs/x/authorized_keys", {}, "is no file of a run"),
        ("raykit-runs/x\n/record.json", {}, "is no file of a run"),
        ("raykit-runs/é/record.json", {}, "is no file of a run"),
        (NAME, {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "a symbolic link"),
        (NAME, {"type": tarfile.LNKTYPE, "linkname": "../x"}, "a hard link"),
        (NAME, {"type": tarfile.CHRTYPE}, "a device"),
        (NAME, {"type": tarfile.BLKTYPE}, "a device"),
        (NAME, {"type": tarfile.FIFOTYPE}, "a pipe"),
        ("elsewhere/", {"type": tarfile.DIRTYPE}, "never writes"),
        (NAME, {"type": b"S"}, "never writes"),
        (NAME, {"type": tarfile.CONTTYPE}, "never writes"),
    ],
)
def test_a_member_that_is_no_plain_file_of_a_run_is_refused(name, fields, reason):
    content = b"" if "type" in fields else b"{}"
    with pytest.raises(BadArchiveError, match=reason):
        read(packed((name, content, fields)))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_in_an_extended_header_gets_no_meaning(form):
    long = f"raykit-runs/{'x' * 120}/{'../' * 40}record.json"
    with pytest.raises(BadArchiveError, match="never writes"):
        read(packed((long, b"{}", {}), form=form))


def test_a_file_that_comes_twice_is_refused():
    with pytest.raises(BadArchiveError, match="comes twice"):
        read(packed((NAME, b"{}", {}), (NAME, b"[]", {})))


def test_a_file_larger_than_its_kind_is_refused_before_it_is_read():
    info = tarfile.TarInfo(NAME)
    info.size = archive.LARGEST["record.json"] + 1
    data = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(BadArchiveError, match="at most 67108864 are taken"):
        read(data)


def test_a_negative_size_is_refused():
    info = tarfile.TarInfo(NAME)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(BadArchiveError, match="bytes; at most"):
        read(gzip.compress(bytes(block)))


def test_all_files_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    members = [(f"raykit-runs/run-{n}/driver.log", b"x" * 400, {}) for n in range(3)]
    with pytest.raises(BadArchiveError, match="in all"):
        read(packed(*members))


def test_a_bomb_of_zeros_behind_the_end_is_left_unread():
    bomb = gzip.compress(bytes(200 << 20), 9)
    stream = io.BytesIO(packed((NAME, b"{}", {})) + bomb)
    with pytest.raises(BadArchiveError, match="something follows its end"):
        list(archive.read(stream))
    assert stream.tell() < len(stream.getvalue()) / 2


def test_what_follows_the_end_is_refused():
    with pytest.raises(BadArchiveError, match="something follows its end"):
        read(packed((NAME, b"{}", {})) + gzip.compress(b"x" * 512))


@settings(max_examples=60)
@given(st.binary(max_size=600) | st.binary(max_size=2000).map(gzip.compress))
def test_no_bytes_are_a_bug(data):
    with pytest.raises(BadArchiveError):
        read(data)


class Shrinking(io.BytesIO):
    """A file that another process cuts after its size was seen."""

    def seek(self, place, whence=0):
        found = super().seek(place, whence)
        if whence == 0:
            self.truncate(1)
        return found


def test_a_file_that_gets_shorter_meanwhile_is_not_archived():
    path = SimpleNamespace(open=lambda mode: Shrinking(b"x" * 10))
    with pytest.raises(BadArchiveError, match="got shorter"):
        written(File(RUN, "driver.log", path))


def test_a_log_that_grows_meanwhile_is_cut_where_it_was():
    class Growing(io.BytesIO):
        def seek(self, place, whence=0):
            found = super().seek(place, whence)
            if whence == 0:
                super().seek(0, 2)
                self.write(b"more")
                super().seek(0)
            return found

    path = SimpleNamespace(open=lambda mode: Growing(b"x" * 10))
    assert read(written(File(RUN, "driver.log", path))) == [(RUN, "driver.log", b"x" * 10)]


def test_a_stream_that_cannot_be_read_is_no_bug():
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError(5, "Input/output error")

    with pytest.raises(BadArchiveError, match="it cannot be read: Input/output error"):
        list(archive.read(Broken()))
