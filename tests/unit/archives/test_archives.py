"""`raykit data`: archives over real HTTP on loopback, cut, revised, wrong; and on disk."""

import gzip
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raykit.archives import fetch as fetching
from raykit.archives.store import Store, whole_archive, years
from raykit.errors import DataError, MissingError, UsageError

SAMPLE = Path(__file__).parents[3] / "jobs" / "data" / "gsod" / "2020.tar.gz"
WHOLE = SAMPLE.read_bytes()
DIGEST = hashlib.sha256(WHOLE).hexdigest()


class Archive(BaseHTTPRequestHandler):
    """Serves one file with ranges; the server's `plan` says what goes wrong, request by request."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        step = server.plan.pop(0) if server.plan else {}
        body, etag = step.get("body", server.body), step.get("etag", server.etag)
        if "status" in step:
            self.send_error(step["status"])
            return
        begin = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == etag:
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body) - begin))
        self.send_header("ETag", etag)
        self.end_headers()
        end = step.get("cut", len(body))
        self.wfile.write(body[begin:end])

    def log_message(self, *words):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_PAUSE_SECONDS", 0.001)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    server.body, server.etag, server.plan, server.ranges = WHOLE, '"one"', [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/archive"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "gsod")


def fetched(store, server, *wanted, **options):
    return fetching.fetch(store, list(wanted or [2020]), server.url, **options)


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


def test_a_half_written_file_is_never_taken_for_a_whole_one(store, server):
    server.plan = [{"cut": 1000 + 100 * step} for step in range(fetching.ATTEMPTS)]
    (found,) = fetched(store, server)
    assert isinstance(found.error, MissingError)
    assert not store.archive(2020).exists()
    assert [entry.state for entry in store.entries()] == ["partial"]
    assert fetched(store, server)[0].error is None
    assert store.archive(2020).read_bytes() == WHOLE


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


def test_verify_tells_missing_changed_and_whole_apart(store, server):
    fetched(store, server, 2020, 2021, parallel=2)
    store.archive(2021).write_bytes(SAMPLE.with_name("2024.tar.gz").read_bytes())
    found = dict(store.verify([2019, 2020, 2021]))
    assert found[2020] is None
    assert "is missing" in found[2019].what
    assert "not what was fetched" in found[2021].what


def test_every_sample_archive_is_whole():
    for path in SAMPLE.parent.glob("*.tar.gz"):
        assert whole_archive(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_years_are_words_and_ranges_each_once():
    assert years(["1980", "2020", "1979..1981"]) == [1979, 1980, 1981, 2020]


@pytest.mark.parametrize("word", ["80", "1928", "2026", "1990..1980", "1980-1990", "x"])
def test_what_is_no_year_of_gsod_is_refused(word):
    with pytest.raises(UsageError) as refused:
        years(["2020", word])
    assert refused.value.evidence == (word,)
