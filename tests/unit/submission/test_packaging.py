"""Folders are packed the same way each time, and refused before anything is sent."""

import contextlib
import errno
import io
import os
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import MissingError, UsageError
from raykit.measure.records import RunsFolder
from raykit.submission import packaging
from raykit.submission.answers import LostConnectionError
from raykit.submission.transport import Transport


@pytest.fixture
def tree(tmp_path):
    """`tree({"a/b.py": "text"})` makes these files and gives their folder."""

    def make(files, name="work"):
        for path, text in files.items():
            place = tmp_path / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return tmp_path / name

    return make


def content(folder):
    package = packaging.pack(folder, packaging.collect(folder))
    with package.archive as archive:
        archive.seek(0)
        data = archive.read()
    assert len(data) == package.size
    return data


def paths(folder, **options):
    return [member.path for member in packaging.collect(folder, **options)]


def test_the_same_content_is_the_same_package_whatever_its_times(tree):
    files = {"job.py": "print(1)", "a/deep/er.txt": "x"}
    one, two = tree(files, "one"), tree(dict(reversed(files.items())), "two")
    os.utime(two / "job.py", (1, 1))
    assert content(one) == content(two) != b""
    (two / "job.py").write_text("print(2)")
    assert content(one) != content(two)


def test_what_is_never_wanted_is_left_out(tree):
    folder = tree(
        {
            "job.py": "",
            ".git/config": "",
            "__pycache__/job.pyc": "",
            "venv/pyvenv.cfg": "",
            "venv/lib/big.py": "",
            "node_modules/x.js": "",
            ".hidden": "",
        }
    )
    assert paths(folder) == [".hidden", "job.py"]


def test_ignore_files_count_in_every_folder_and_the_last_word_wins(tree):
    folder = tree(
        {
            ".gitignore": "*.log\n/data/\n!keep.log\n",
            ".rayignore": "secret.txt\n",
            "job.py": "",
            "one.log": "",
            "keep.log": "",
            "secret.txt": "",
            "data/big": "",
            "sub/data/small": "",
            "sub/.gitignore": "!one.log\nlocal*\n",
            "sub/one.log": "",
            "sub/local.py": "",
        }
    )
    assert paths(folder, excludes=["job.*"]) == [
        ".gitignore",
        ".rayignore",
        "keep.log",
        "sub/.gitignore",
        "sub/data/small",
        "sub/one.log",
    ]


def test_every_file_that_cannot_be_packed_is_named(tree, monkeypatch):
    folder = tree({"job.py": "", "deep/x": ""})
    (folder / "deep/loop").symlink_to(folder)
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(UsageError) as caught:
            packaging.collect(folder)
    assert sorted(caught.value.evidence) == [
        "deep/loop: a link to a folder above it",
        "gone: No such file or directory",
        "pipe: neither a file nor a folder",
        "socket: neither a file nor a folder",
    ]
    assert ".rayignore" in caught.value.next
    (folder / ".rayignore").write_text("gone\npipe\nsocket\ndeep/loop\n")
    assert paths(folder) == [".rayignore", "deep/x", "job.py"]


def test_an_unreadable_file_is_named(tree, monkeypatch):
    folder = tree({"job.py": "", "private": ""})
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "private" not in str(path))
    with pytest.raises(UsageError) as caught:
        packaging.collect(folder)
    monkeypatch.setattr(os, "access", real)
    assert caught.value.evidence == ("private: not readable",)


@pytest.mark.parametrize("runs", ["runs", "deep/er/records", "."])
def test_run_records_leave_themselves_out_wherever_they_lie(tree, make_record, runs):
    folder = tree({"job.py": "", "deep/er/kept": "", "other/record.json": '{"a": 1}'})
    before = content(folder)
    record = make_record()
    kept = RunsFolder(folder / runs)
    kept.write(record)
    (kept.folder(record.id) / "driver.log").write_text("a log")
    assert content(folder) == before
    assert paths(folder) == ["deep/er/kept", "job.py", "other/record.json"]


def test_the_script_is_packed_whatever_leaves_it_out(tree):
    folder = tree({".gitignore": "*_local.py\n", "a_local.py": "", "b_local.py": "", "job.py": ""})
    assert paths(folder, script="a_local.py") == [".gitignore", "a_local.py", "job.py"]
    assert paths(folder, script="job.py", excludes=["*"]) == ["job.py"]
    (folder / "venv").mkdir()
    (folder / "venv/pyvenv.cfg").touch()
    (folder / "venv/x.py").touch()
    assert "venv/x.py" in paths(folder, script="venv/x.py")


def test_names_that_are_not_utf_8_are_refused_as_escapes(tree):
    folder = tree({"job.py": ""})
    Path(os.fsdecode(bytes(folder) + b"/\xff.txt")).touch()
    with pytest.raises(UsageError) as caught:
        packaging.collect(folder)
    assert caught.value.evidence == ("\\udcff.txt: its name is not UTF-8",)


def test_patterns_that_are_none_are_refused_with_their_file(tree):
    folder = tree({"job.py": "", "sub/.gitignore": "[z-a]\n"})
    with pytest.raises(UsageError) as caught:
        packaging.collect(folder, ["!"])
    assert [line.split(":")[0] for line in caught.value.evidence] == ["excludes", "sub/.gitignore"]


@given(st.lists(st.text("ab*?[]!/\\.#~ -", max_size=8), max_size=4))
def test_no_pattern_ends_in_anything_but_a_refusal(tmp_path_factory, patterns):
    folder = Path(tmp_path_factory.mktemp("any"))
    (folder / "a").touch()
    (folder / ".rayignore").write_text("\n".join(patterns))
    with contextlib.suppress(UsageError):
        packaging.collect(folder, patterns)


def test_an_ignore_file_that_would_never_end_is_not_read(tree):
    folder = tree({"job.py": ""})
    os.mkfifo(folder / ".gitignore")
    with pytest.raises(UsageError, match="cannot be packed"):
        packaging.collect(folder)


def test_folders_beyond_measure_are_refused(tree):
    folder = tree({"job.py": "", "/".join("d" * 150) + "/x": ""})
    with pytest.raises(UsageError) as caught:
        packaging.collect(folder)
    assert caught.value.evidence[0].endswith("more than 100 folders deep")


def test_what_is_removed_while_it_is_packed_is_left_out(tree):
    folder = tree({"job.py": "", "gone": "x"})
    members = packaging.collect(folder)
    (folder / "gone").unlink()
    with packaging.pack(folder, members).archive as archive, zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["job.py"]


def test_without_room_for_the_archive_the_folder_is_named(tree, monkeypatch):
    folder = tree({"job.py": ""})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packaging.tempfile, "TemporaryFile", full)
    with pytest.raises(MissingError) as caught:
        packaging.pack(folder, packaging.collect(folder))
    assert (caught.value.evidence, "TMPDIR" in caught.value.next) == (
        ("No space left on device",),
        True,
    )


def test_links_to_files_and_folders_beside_are_followed(tree):
    folder = tree({"job.py": "", "real/x": "1"})
    (folder / "also").symlink_to(folder / "real", target_is_directory=True)
    (folder / "job2.py").symlink_to("job.py")
    assert paths(folder) == ["also/x", "job.py", "job2.py", "real/x"]


def test_a_package_over_the_limit_is_refused_with_its_ten_largest(tree, monkeypatch):
    folder = tree({f"f{number:02}": "x" * (number << 16) for number in range(1, 15)})
    monkeypatch.setattr(packaging, "LIMIT_BYTES", 100)
    with pytest.raises(UsageError) as caught:
        packaging.pack(folder, packaging.collect(folder))
    shown = [line.split()[-1] for line in caught.value.evidence]
    assert shown == [f"f{number:02}" for number in range(14, 4, -1)]
    assert "7 MiB in 14 files" in caught.value.what
    assert caught.value.evidence[0].split() == ["0.9", "MiB", "f14"]


def test_a_module_is_packed_below_its_own_name_and_keeps_what_is_executable(tree):
    folder = tree({"run.sh": "true"})
    (folder / "run.sh").chmod(0o755)
    packed = packaging.pack(folder, packaging.collect(folder), top="mine")
    with packed.archive as archive, zipfile.ZipFile(archive) as found:
        (info,) = found.infolist()
        assert (info.filename, info.external_attr >> 16 & 0o777) == ("mine/run.sh", 0o755)


@given(st.dictionaries(st.text("abc.", min_size=1, max_size=6), st.binary(max_size=50)))
def test_what_is_packed_is_what_was_there(tmp_path_factory, files):
    folder = Path(tmp_path_factory.mktemp("any"))
    files = {name: data for name, data in files.items() if set(name) != {"."}}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    package = packaging.pack(folder, packaging.collect(folder))
    with package.archive as archive, zipfile.ZipFile(archive) as found:
        assert {name: found.read(name) for name in found.namelist()} == files


class Head:
    """A transport that knows some packages and may lose connections while it is sent one."""

    def __init__(self, known=(), losses=0):
        self.known, self.losses, self.sent = set(known), losses, []

    def get(self, address):
        return Answer(200 if address in self.known else 404)

    def request(self, method, address, *, content, timeout):
        body = b"".join(content)
        self.sent.append((method, address, body))
        if len(self.sent) <= self.losses:
            raise LostConnectionError("cut")
        return Answer(200)

    refusal = Transport.refusal


class Answer:
    def __init__(self, status_code):
        self.status_code = status_code


def package(data=b"zip"):
    return packaging.Package("gcs://_ray_pkg_1.zip", io.BytesIO(data), len(data), ())


def test_what_the_head_has_is_not_sent():
    head = Head(known=["api/packages/gcs/_ray_pkg_1.zip"])
    assert packaging.upload(head, package(), lambda *_: None) is False
    assert head.sent == []


def test_an_upload_that_breaks_is_sent_again_whole():
    head, told = Head(losses=2), []
    assert packaging.upload(head, package(), lambda *both: told.append(both)) is True
    assert [body for _, _, body in head.sent] == [b"zip"] * 3
    assert told[-1] == (3, 3)


def test_an_upload_that_always_breaks_is_given_up():
    head = Head(losses=99)
    with pytest.raises(LostConnectionError):
        packaging.upload(head, package(), lambda *_: None)
    assert len(head.sent) == packaging.ATTEMPTS
