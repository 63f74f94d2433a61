"""Folders are packed the same way each time, and refused before anything is sent."""

import io
import os
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.submission import packaging
from raykit.submission.transport import LostConnectionError, Transport


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
    package = packaging.pack(folder)
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


def test_links_to_files_and_folders_beside_are_followed(tree):
    folder = tree({"job.py": "", "real/x": "1"})
    (folder / "also").symlink_to(folder / "real", target_is_directory=True)
    (folder / "job2.py").symlink_to("job.py")
    assert paths(folder) == ["also/x", "job.py", "job2.py", "real/x"]


def test_a_package_over_the_limit_is_refused_with_its_ten_largest(tree, monkeypatch):
    folder = tree({f"f{number:02}": "x" * number for number in range(1, 15)})
    monkeypatch.setattr(packaging, "LIMIT_BYTES", 100)
    with pytest.raises(UsageError) as caught:
        packaging.pack(folder)
    shown = [line.split()[-1] for line in caught.value.evidence]
    assert shown == [f"f{number:02}" for number in range(14, 4, -1)]


def test_a_module_is_packed_below_its_own_name_and_keeps_what_is_executable(tree):
    folder = tree({"run.sh": "true"})
    (folder / "run.sh").chmod(0o755)
    packed = packaging.pack(folder, top="mine")
    with packed.archive as archive, zipfile.ZipFile(archive) as found:
        (info,) = found.infolist()
        assert (info.filename, info.external_attr >> 16 & 0o777) == ("mine/run.sh", 0o755)


@given(st.dictionaries(st.text("abc.", min_size=1, max_size=6), st.binary(max_size=50)))
def test_what_is_packed_is_what_was_there(tmp_path_factory, files):
    folder = Path(tmp_path_factory.mktemp("any"))
    files = {name: data for name, data in files.items() if set(name) != {"."}}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with packaging.pack(folder).archive as archive, zipfile.ZipFile(archive) as found:
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
