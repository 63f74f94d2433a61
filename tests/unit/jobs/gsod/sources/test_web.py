"""Archives from a web server: the same answer as from a folder, or the reason why there is none."""

import gzip
import random
import threading
import time

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.options import SAMPLE
from jobs.gsod.sources import download, stores
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.years import read

YEARS = ("--years", "2020", "2024", "--high-temp", "80")
QUESTION = Question("TEMP", ">=", 80.0)


def problem_of(where, year=2020, threads=1):
    with pytest.raises(DataProblem) as raised:
        read(Where(where), year, QUESTION, threads)
    return [raised.value.what, *raised.value.evidence]


def from_folder(year=2020):
    return read(Where(str(SAMPLE)), year, QUESTION).counts


def large(gsod, files=40):
    """An archive whose compressed bytes fill several pieces of a download."""
    noise = random.Random(1)

    def temps():
        return [f"{noise.uniform(-20, 110):6.1f}" for _ in range(366)]

    members = [(f"{n:011}.csv", gsod.csv(temps(), f"{n:011}")) for n in range(files)]
    return gzip.compress(gsod.tar(members), 0, mtime=0)


def test_https_gives_the_same_answer_and_work_as_the_folder(https, run):
    https.sample(2020, 2024)
    status, events, err = run("--data", https.url, *YEARS)
    assert (status, err) == (0, "")
    _, in_folder, _ = run("--data", SAMPLE, *YEARS)
    assert events[-1]["work"] == in_folder[-1]["work"]
    source = events[-1]["data"]["years"][0]["archive"]["source"]
    assert source["address"] == f"{https.url}/2020.tar.gz"
    assert source["etag"]
    assert source["last_modified"] == "2020-09-13T12:26:40+00:00"


def test_one_request_a_year_is_enough(https, run):
    https.sample(2020, 2024)
    run("--data", https.url, *YEARS)
    assert https.requests == [
        ("GET", "/archive/2020.tar.gz", None),
        ("GET", "/archive/2024.tar.gz", None),
    ]


def test_plain_http_is_read_on_loopback(plain_http):
    plain_http.sample(2020)
    assert read(Where(plain_http.url), 2020, QUESTION).counts.stations == from_folder().stations


@pytest.mark.parametrize("threads", [1, 2])
def test_a_transfer_that_is_cut_goes_on_where_it_was_with_the_same_hash(https, gsod, threads):
    content = https.files["2020.tar.gz"] = large(gsod)
    cuts = [len(content) // 3, len(content) // 2, len(content) - 1]
    for stop in cuts:
        https.faults.append(lambda h, stop=stop: h.serve(h.content(), stop))
    whole = read(Where(https.url), 2020, QUESTION, threads)
    https.faults.clear()
    https.always = None
    assert whole.counts.archive["bytes"] == len(content)
    assert whole.counts == read(Where(https.url), 2020, QUESTION).counts
    ranges = [asked for _, _, asked in https.requests[1:4]]
    assert all(asked and asked.startswith("bytes=") for asked in ranges)


def test_a_source_without_etag_is_resumed_by_its_date(https, gsod):
    content = https.files["2020.tar.gz"] = large(gsod)
    half = len(content) // 2
    https.always = lambda h: h.serve(h.content(), ETag=None)
    https.faults.append(lambda h: h.serve(h.content(), half, ETag=None))
    assert read(Where(https.url), 2020, QUESTION).counts.archive["bytes"] == len(content)
    assert len(https.requests) == 2


@pytest.mark.parametrize(
    "later",
    [{"ETag": '"other"'}, {"ETag": None, "Last_Modified": "Wed, 21 Oct 2020 07:28:00 GMT"}],
    ids=["ETag", "Last-Modified"],
)
def test_a_source_that_changed_between_two_ranges_is_refused(https, gsod, later):
    https.files["2020.tar.gz"] = large(gsod)
    first = dict.fromkeys(name for name, value in later.items() if value is None)
    https.faults.append(lambda h: h.serve(h.content(), 3_000_000, **first))
    https.always = lambda h: h.serve(h.content(), **later)
    what, before, after = problem_of(https.url)
    assert what == "2020.tar.gz changed at its source while it was read"
    assert before.startswith("it was ")
    assert after.endswith("run the job again")


def test_a_source_that_grew_between_two_ranges_is_refused(https, gsod):
    https.files["2020.tar.gz"] = large(gsod)
    https.faults.append(lambda h: h.serve(h.content(), 3_000_000))
    https.always = lambda h: h.serve(h.content() + b"more")
    assert problem_of(https.url)[0] == "2020.tar.gz changed at its source while it was read"


def test_a_source_that_always_sends_fewer_bytes_is_given_up(https, gsod):
    content = https.files["2020.tar.gz"] = large(gsod)
    https.always = lambda h: h.serve(h.content(), 3_000_000)
    what, evidence = problem_of(https.url)
    assert "only in part" in what
    assert f"of {len(content):,} bytes" in evidence


def test_a_source_that_brings_a_byte_a_time_is_given_up(https, gsod):
    https.files["2020.tar.gz"] = large(gsod)
    https.always = lambda h: h.serve(h.content(), h.first_byte() + 1, ETag=None)
    what, evidence = problem_of(https.url)
    assert "only in part" in what
    assert "tries brought almost none" in evidence


def test_more_bytes_than_promised_are_no_part_of_the_archive(https):
    https.sample(2020)

    def more(h):
        h.serve(h.content())
        h.wfile.write(b"more")
        h.close_connection = True
        return True

    https.always = more
    assert (
        read(Where(https.url), 2020, QUESTION).counts.archive["sha256"]
        == (from_folder().archive["sha256"])
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_errors_that_may_pass_are_tried_again(https, status):
    https.sample(2020)
    https.faults += [lambda h: h.plain(status)] * 3
    assert read(Where(https.url), 2020, QUESTION).counts.stations == from_folder().stations
    assert len(https.requests) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_errors_that_do_not_pass_end_with_the_status(https, status):
    https.always = lambda h: h.plain(status)
    what, evidence, next_step = problem_of(https.url)
    assert what == f"2020.tar.gz cannot be read from {https.url}"
    assert evidence.startswith(f"HTTP {status}")
    assert next_step == f"it was asked {1 + stores.RETRIES} times: run the job again later"
    assert len(https.requests) == 1 + stores.RETRIES


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_a_refusal_is_not_tried_again(https, status):
    https.always = lambda h: h.plain(status)
    assert problem_of(https.url)[1].startswith(f"HTTP {status}")
    assert len(https.requests) == 1


def test_a_missing_year_is_named_and_all_missing_years_at_once(https, run):
    status, events, err = run("--data", https.url, *YEARS)
    assert (status, events[-1]["cause"]) == (9, "data")
    assert events[-1]["message"] == "2 archives are unusable"
    assert f"2020.tar.gz is not at {https.url}" in err
    assert f"2024.tar.gz is not at {https.url}" in err


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8"])
def test_a_redirect_to_a_login_page_is_no_archive(https, kind):
    def login(h):
        if h.path == "/login":
            return h.plain(200, b"<html>who are you?</html>", Content_Type=kind)
        return h.plain(302, Location="/login")

    https.always = login
    what, evidence, next_step = problem_of(https.url)
    assert what == f"{https.url} answered with a web page instead of 2020.tar.gz"
    assert kind in evidence
    assert "login" in next_step


def test_a_web_page_that_calls_itself_an_archive_is_none(https):
    https.files["2020.tar.gz"] = b"<!DOCTYPE html><html><body>down for maintenance</body></html>"
    assert "a web page saved under this name" in " ".join(problem_of(https.url))


def test_an_archive_that_is_labelled_as_compressed_is_read_as_it_is(https):
    """Apache's defaults give every file named .gz the encoding x-gzip."""
    https.sample(2020)
    https.always = lambda h: h.serve(h.content(), Content_Encoding="x-gzip")
    assert read(Where(https.url), 2020, QUESTION).counts.stations == from_folder().stations


def test_a_source_that_compresses_what_it_sends_is_refused_with_the_reason(https):
    https.sample(2020)
    https.always = lambda h: h.serve(gzip.compress(h.content()), Content_Encoding="gzip")
    assert "Content-Encoding: gzip" in problem_of(https.url)[-1]
    https.always = lambda h: h.serve(h.content(), Content_Encoding="br")
    assert problem_of(https.url) == ["2020.tar.gz is sent with another compression: br"]


def test_a_source_that_does_not_say_its_length_is_refused(https):
    def chunked(h):
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        h.wfile.write(b"0\r\n\r\n")
        return True

    https.always = chunked
    assert "the source does not say how many bytes it sends" in problem_of(https.url)


def test_a_source_that_knows_no_ranges_is_refused_after_a_cut(https, gsod):
    https.files["2020.tar.gz"] = large(gsod)

    def without_ranges(h):
        del h.headers["Range"]
        return h.serve(h.content(), 3_000_000)

    https.always = without_ranges
    assert "it knows no ranges" in " ".join(problem_of(https.url))


def test_a_silent_source_is_given_up(https, monkeypatch):
    monkeypatch.setattr(stores, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(stores, "RETRIES", 1)
    https.always = lambda h: time.sleep(1) or True
    assert problem_of(https.url)[1] in ("it was silent for too long", "the connection was cut")


def test_a_source_that_falls_silent_is_resumed(https, gsod, monkeypatch):
    monkeypatch.setattr(stores, "STALL_SECONDS", 2)
    content = https.files["2020.tar.gz"] = large(gsod)
    asked_again = threading.Event()

    def pauses(h):
        h.serve(h.content(), 2_500_000)
        return asked_again.wait(240)

    https.faults.append(pauses)
    https.always = lambda _: asked_again.set()
    assert read(Where(https.url), 2020, QUESTION).counts.archive["bytes"] == len(content)


def test_a_slow_source_is_waited_for_and_the_job_says_so(https, run, capfd):
    https.sample(2020, 2024)
    began = time.monotonic()
    run("--data", https.url, *YEARS)
    alone = time.monotonic() - began

    def read_slowly(share):
        """What is said of a source that takes so many times as long as all the rest took."""
        https.always = lambda _: time.sleep(share * alone)
        status, events, _ = run("--data", https.url, *YEARS)
        assert status == 0
        return events[-1]["data"]["reading"]

    # This machine may have less time for the rest than before.
    readings = map(read_slowly, (3, 10, 30))
    reading = next(read for read in readings if read["limited_by"] == "the source")
    assert reading["waiting_share"] > 0.5
    assert reading["bytes"] == sum(len(content) for content in https.files.values())


def test_an_unknown_authority_is_named_with_the_way_to_trust_it(https, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    _, evidence, next_step = problem_of(https.sample(2020).url)
    assert evidence == "its certificate is not trusted: UnknownIssuer"
    assert next_step.startswith("SSL_CERT_FILE=")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_named(monkeypatch, tmp_path, content):
    path = tmp_path / "authorities"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert str(path) in " ".join(problem_of("https://localhost:1/archive"))


def test_a_redirect_away_from_tls_is_not_followed(https, plain_http):
    away = plain_http.sample(2020).url
    https.always = lambda h: h.plain(302, Location=f"{away}/2020.tar.gz")
    assert "not encrypted" in " ".join(problem_of(https.url))
    assert plain_http.requests == []


def test_an_endpoint_for_buckets_on_this_machine_lets_no_redirect_leave_tls(
    https, plain_http, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    away = plain_http.sample(2020).url
    https.always = lambda h: h.plain(302, Location=f"{away}/2020.tar.gz")
    assert "not encrypted" in " ".join(problem_of(https.url))
    assert plain_http.requests == []


def test_nobody_at_the_address_and_no_such_name(impatient, monkeypatch):
    monkeypatch.setattr(stores, "RETRIES", 1)
    _, evidence, next_step = problem_of("https://localhost:1/archive")
    assert evidence == "Connection refused"
    assert next_step.startswith("can the Ray nodes reach it?")
    assert "its name is not known here" in " ".join(problem_of("https://nowhere.invalid/a"))


def test_a_reader_that_stops_early_leaves_the_download_behind(https, gsod):
    content = bytearray(large(gsod))
    content[200_000] ^= 1
    https.files["2020.tar.gz"] = bytes(content)
    assert "2020.tar.gz" in problem_of(https.url, threads=2)[0]


def test_a_year_beyond_any_size_is_refused_before_it_is_read(https, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_BYTES", 1000)
    assert "not a year of GSOD" in problem_of(https.sample(2020).url)[0]
