"""Archives are fetched whole or not at all, and broken transfers are resumed."""

import contextlib
import gzip
import json
import shlex
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.archives import fetch as fetching
from raykit.archives.store import Store
from raykit.errors import ConflictError, DataError, MissingError, UsageError
from tests.unit.archives.noaa import DIGEST, SAMPLE, WHOLE, Archive, fetched


def test_an_archive_is_fetched_and_sealed_with_its_size_and_hash(store, server):
    (found,) = fetched(store, server)
    assert found.error is None
    assert store.archive(2020).read_bytes() == WHOLE
    seal = json.loads((store.folder / "2020.tar.gz.json").read_text())
    assert (seal["size"], seal["sha256"], seal["etag"]) == (len(WHOLE), DIGEST, '"one"')
    assert [entry.state for entry in store.entries()] == ["sealed"]
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "2020.tar.gz",
        "2020.tar.gz.json",
    ]


def test_what_is_there_is_not_fetched_again_unless_asked(store, server):
    fetched(store, server)
    assert fetched(store, server)[0].fresh is False
    assert len(server.ranges) == 1
    assert fetched(store, server, again=True)[0].fresh is True
    assert len(server.ranges) == 2


def test_a_cut_transfer_goes_on_where_it_stopped(store, server):
    server.plan = [{"cut": 1000}, {"cut": 5000}]
    (found,) = fetched(store, server)
    assert found.error is None
    assert server.ranges == [None, "bytes=1000-", "bytes=5000-"]
    assert store.archive(2020).read_bytes() == WHOLE


def test_a_file_that_was_revised_meanwhile_is_fetched_from_its_beginning(store, server):
    revised = Path(SAMPLE.with_name("2024.tar.gz")).read_bytes()
    server.plan = [{"cut": 1000}]
    server.plan.append({"body": revised, "etag": '"two"'})
    (found,) = fetched(store, server)
    assert found.error is None
    assert store.archive(2020).read_bytes() == revised


def test_a_busy_server_is_asked_again(store, server):
    server.plan = [{"status": 503}, {"status": 429}]
    assert fetched(store, server)[0].error is None


def test_a_year_that_the_server_lacks_is_said_at_once(store, server):
    server.plan = [{"status": 404}]
    (found,) = fetched(store, server)
    assert isinstance(found.error, MissingError)
    assert found.error.evidence == ("HTTP 404",)
    assert len(server.ranges) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        WHOLE[:-9],
        WHOLE + b"x",
        gzip.compress(b"not a tar"),
        WHOLE[: len(WHOLE) // 2]
        + bytes([WHOLE[len(WHOLE) // 2] ^ 1])
        + WHOLE[len(WHOLE) // 2 + 1 :],
        b"",
    ],
    ids=["html", "cut", "trailing", "not tar", "bit flip", "empty"],
)
def test_what_is_no_whole_archive_is_refused_and_not_kept(store, server, body):
    server.body = body
    (found,) = fetched(store, server)
    assert isinstance(found.error, DataError)
    assert store.entries() == []


def test_nothing_answering_is_said_with_the_address(store, server, monkeypatch):
    monkeypatch.setattr(fetching, "ATTEMPTS", 2)
    (found,) = fetching.fetch(store, [2020], "http://127.0.0.1:1/archive")
    assert isinstance(found.error, MissingError)
    assert "http://127.0.0.1:1/archive/2020.tar.gz" in found.error.what


class Stalling(Archive):
    """Sends the beginning of a file, and then nothing until the test ends."""

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHOLE)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(WHOLE[:1000])
        self.wfile.flush()
        self.server.begun.set()
        self.server.released.wait()


@pytest.fixture
def stalled(server):
    """The server, which now sends only the beginning of a file."""
    server.RequestHandlerClass = Stalling
    server.begun, server.released = threading.Event(), threading.Event()
    yield server
    server.released.set()


def test_ctrl_c_ends_a_fetch_while_the_server_is_silent(cli, stalled, soon):
    folder = cli.cwd / "gsod"
    words = ("data", "fetch", "2020", "2021", "2022", "--data", folder, "--source", stalled.url)
    child = cli.start(*words)
    stalled.begun.wait()
    soon(lambda: (folder / "2020.tar.gz.part").stat().st_size == 1000)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 130
    lines = err.decode().splitlines()
    assert lines[-2] == "error: interrupted: what was transferred stays"
    assert lines[-1].endswith("continues where it stopped")
    stalled.RequestHandlerClass = Archive
    pasted = shlex.split(
        lines[-1].removeprefix("next: raykit ").removesuffix(" continues where it stopped")
    )
    done = cli(*pasted)
    assert done.code == 0, done.err
    assert "bytes=1000-" in stalled.ranges
    assert (folder / "2020.tar.gz").read_bytes() == WHOLE


def test_a_year_that_another_fetches_is_left_to_it(store, server):
    store.make()
    with store.part(2020) as part:
        part.write(b"theirs")
        found = fetched(store, server, 2020, 2021)
        assert isinstance(found[0].error, ConflictError)
        assert "another raykit fetches 2020" in found[0].error.what
        assert found[1].error is None
        assert store.partial(2020).read_bytes() == b"theirs"
    assert fetched(store, server)[0].error is None
    assert store.archive(2020).read_bytes() == WHOLE


def test_what_another_has_fetched_meanwhile_is_not_fetched_again(store, server, monkeypatch):
    fetched(store, server)
    asked = iter([None])
    whole = store.whole
    monkeypatch.setattr(store, "whole", lambda year: next(asked, whole(year)))
    (found,) = fetched(store, server)
    assert (found.fresh, len(server.ranges)) == (False, 1)
    assert [entry.state for entry in store.entries()] == ["sealed"]


@pytest.mark.parametrize(
    "source",
    [
        "http://[::1",
        "ftp://x/",
        "x",
        "",
        "http://",
        "http://x:99999/",
        "http://a\x00b/",
        "https:///x",
    ],
)
def test_a_source_that_is_no_address_is_refused(store, source):
    with pytest.raises(UsageError, match="is no address"):
        fetching.fetch(store, [2020], source)


@given(st.text() | st.text("htps:/[]@.?#%0xa").map("http://{}".format))
def test_no_source_ends_in_anything_but_a_refusal(source):
    with contextlib.suppress(UsageError):
        fetching.check_source(source)


def test_a_password_in_the_source_is_neither_kept_nor_shown(store, server):
    secret = server.url.replace("//", "//me:hunter2@")
    (found,) = fetching.fetch(store, [2020], secret)
    assert found.error is None
    assert "hunter2" not in store._seal_path(2020).read_text()
    server.plan = [{"status": 404}]
    (missing,) = fetching.fetch(store, [2021], secret)
    assert "hunter2" not in str(missing.error.as_dict())


def test_a_folder_that_cannot_be_used_is_named(tmp_path, server):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(MissingError) as caught:
            fetching.fetch(Store(folder), [2020], server.url)
        assert str(folder) in caught.value.what
        assert "--data" in caught.value.next
