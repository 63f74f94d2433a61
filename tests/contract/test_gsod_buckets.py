"""GSOD from buckets: a real S3-compatible server (moto's), and Azurite where it is installed.

The library speaks to Google's storage by its S3-like XML interface, which moto's server has too.
"""

import base64
import gzip
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate
from pathlib import Path

import obstore
import pytest
from obstore.store import AzureStore, S3Store

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.options import SAMPLE
from jobs.gsod.sources import stations, stores
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.years import read
from tests.registry import free_port

ROOT = Path(__file__).parents[2]
MOTO = ROOT / ".venv-moto" / "bin" / "moto_server"
AZURITE_PROGRAM = ROOT / ".cache" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
QUESTION = Question("TEMP", ">=", 80.0)
PUBLIC = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::open", "arn:aws:s3:::open/*"],
        }
    ]
}
READER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
PAGE = 5
AZURITE, AZURITE_ACCOUNT = "http://127.0.0.1:10000", "devstoreaccount1"
AZURITE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The account and the key that every Azurite has, as its documentation says."""


def started(argv, port):
    """A server that answers at its port; moto's lists few objects a page."""
    env = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)}
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"{argv[0]} ended with {process.returncode}"
            time.sleep(0.1)
        else:
            return process
    process.kill()
    raise AssertionError(f"{argv[0]} does not answer")


@pytest.fixture(scope="module")
def s3_server():
    """The address of moto's server with a public bucket `open` and a closed one `closed`."""
    program = str(MOTO) if MOTO.exists() else shutil.which("moto_server")
    if program is None:
        if os.environ.get("RAYKIT_REQUIRE_MOTO"):
            pytest.fail("moto_server is not there")
        pytest.skip("needs moto's server: see .ci/run")
    port = free_port()
    process = started([program, "-p", str(port)], port)
    url = f"http://127.0.0.1:{port}"
    for bucket in ("open", "closed"):
        call("PUT", f"{url}/{bucket}")
    call("PUT", f"{url}/open?policy", json.dumps(PUBLIC).encode())
    yield url
    process.kill()
    process.wait()


def call(method, url, body=b"", service="s3"):
    """A request with a signature that the server does not check unless it is told to."""
    credential = f"Credential=test/20260101/us-east-1/{service}/aws4_request"
    kind = "application/x-www-form-urlencoded" if service == "iam" else "application/octet-stream"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {credential}", "Content-Type": kind}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def bucket(url, name, prefix=None):
    """A store that writes."""
    return S3Store(
        name,
        prefix=prefix,
        endpoint=url,
        access_key_id="test",
        secret_access_key="test",
        client_options={"allow_http": True},
    )


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The server as the Ray nodes' environment names it, without credentials there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    return s3_server


def put_archives(store, *years):
    for year in years:
        obstore.put(store, f"{year}.tar.gz", (SAMPLE / f"{year}.tar.gz").read_bytes())


def put_stations(store, year):
    """The members of a year's archive, one object each."""
    with tarfile.open(SAMPLE / f"{year}.tar.gz") as archive:
        for member in archive:
            obstore.put(store, f"{year}/{member.name}", archive.extractfile(member).read())


def in_folder(year=2020):
    return read(Where(str(SAMPLE)), year, QUESTION).counts


def problem_of(address, year=2020, cache=""):
    with pytest.raises(DataProblem) as raised:
        read(Where(address, cache), year, QUESTION)
    return " | ".join([raised.value.what, *raised.value.evidence])


def test_an_archive_in_a_public_bucket_is_read_without_credentials(s3):
    put_archives(bucket(s3, "open", "a/b"), 2020)
    counts = read(Where("s3://open/a/b"), 2020, QUESTION).counts
    assert counts.stations == in_folder().stations
    assert counts.archive["sha256"] == in_folder().archive["sha256"]
    assert counts.archive["source"]["address"] == "s3://open/a/b/2020.tar.gz"


def test_an_archive_in_a_closed_bucket_needs_credentials(s3, monkeypatch):
    put_archives(bucket(s3, "closed"), 2020)
    refusal = problem_of("s3://closed")
    assert "HTTP 403" in refusal
    assert "asked without credentials: none of AWS_ACCESS_KEY_ID" in refusal
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert read(Where("s3://closed"), 2020, QUESTION).counts.stations == in_folder().stations


def test_wrong_credentials_are_named(s3, monkeypatch):
    """moto's server checks signatures once it is told to."""
    put_archives(bucket(s3, "closed"), 2020)
    user = "&UserName=reader&Version=2010-05-08"
    call("POST", s3, f"Action=CreateUser{user}".encode(), "iam")
    policy = urllib.parse.quote(json.dumps(READER))
    words = f"Action=PutUserPolicy&PolicyName=all&PolicyDocument={policy}{user}"
    call("POST", s3, words.encode(), "iam")
    made = call("POST", s3, f"Action=CreateAccessKey{user}".encode(), "iam")
    key = re.search("<AccessKeyId>(.*?)<", made)[1]
    secret = re.search("<SecretAccessKey>(.*?)<", made)[1]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    call("POST", f"{s3}/moto-api/reset-auth", b"0")
    try:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        refusal = problem_of("s3://closed")
        assert "HTTP 403" in refusal
        assert "the credentials of AWS_ACCESS_KEY_ID" in refusal
        assert "wrong" not in refusal
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        assert read(Where("s3://closed"), 2020, QUESTION).counts.stations == in_folder().stations
    finally:
        call("POST", f"{s3}/moto-api/reset-auth", b"inf")


def test_a_bucket_that_is_not_there_is_named(s3):
    refusal = problem_of("s3://nowhere")
    assert refusal.startswith("2020.tar.gz cannot be read from s3://nowhere")
    assert "NoSuchBucket" in refusal
    assert "AWS_ENDPOINT_URL" in refusal


def test_a_year_that_is_not_there_shows_those_that_are(s3):
    store = bucket(s3, "open", "years")
    put_archives(store, 2020)
    put_stations(store, 2024)
    refusal = problem_of("s3://open/years", 2019)
    assert refusal == ("2019.tar.gz and 2019/ are not at s3://open/years | years there: 2020 2024")


def test_a_bucket_with_a_file_a_station_gives_the_same_counts(s3):
    store = bucket(s3, "open", "stations")
    put_stations(store, 2020)
    obstore.put(store, "2020/readme.txt", b"not a station")
    reading = read(Where("s3://open/stations"), 2020, QUESTION)
    counts, expected = reading.counts, in_folder()
    assert counts.stations == expected.stations
    assert counts.quality.rows == expected.quality.rows
    assert counts.quality.skipped_members == {"other object": 1}
    facts = counts.archive
    assert (facts["file"], facts["files"]) == ("2020/", 2)
    listed = obstore.list(store, "2020/").collect()
    assert facts["bytes"] == sum(file["size"] for file in listed if file["path"].endswith(".csv"))
    assert len(facts["listing_sha256"]) == 64
    assert facts["source"] == {"address": "s3://open/stations/2020/"}


def test_a_listing_of_several_pages_is_read_to_its_end(s3):
    store = bucket(s3, "open", "pages")
    with tarfile.open(SAMPLE / "2020.tar.gz") as archive:
        member = archive.next()
        content = archive.extractfile(member).read()
    old = member.name.removesuffix(".csv")
    for number in range(3 * PAGE + 2):
        name = f"{number:011}"
        obstore.put(store, f"2020/{name}.csv", content.replace(old.encode(), name.encode()))
    counts = read(Where("s3://open/pages"), 2020, QUESTION).counts
    assert counts.quality.files == len(counts.stations) == 3 * PAGE + 2


def test_a_station_that_changed_since_it_was_listed_is_refused(s3, monkeypatch):
    store = bucket(s3, "open", "changes")
    put_stations(store, 2020)
    listed = stations.StationFiles._listed

    def then_changed(files):
        found = listed(files)
        put_stations(bucket(s3, "open", "changes"), 2020)
        obstore.put(store, f"2020/{found[0]['path'].rpartition('/')[2]}", b"other")
        return found

    monkeypatch.setattr(stations.StationFiles, "_listed", then_changed)
    assert "changed since it was listed" in problem_of("s3://open/changes")


def test_a_file_that_is_no_station_is_named_with_its_place(s3):
    store = bucket(s3, "open", "broken")
    put_stations(store, 2020)
    obstore.put(store, "2020/00000000000.csv", b"<html>")
    assert problem_of("s3://open/broken").startswith("2020/: 00000000000.csv")


def test_a_station_of_an_impossible_size_is_refused_by_the_listing(s3, monkeypatch):
    monkeypatch.setattr(stations, "MAX_MEMBER", 1000)
    put_stations(bucket(s3, "open", "sizes"), 2020)
    assert "not one station's year" in problem_of("s3://open/sizes")


def test_single_stations_cannot_be_cached(s3, tmp_path):
    put_stations(bucket(s3, "open", "uncached"), 2020)
    assert "leave it out" in problem_of("s3://open/uncached", cache=str(tmp_path))


def test_an_archive_of_a_bucket_is_cached(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    put_archives(bucket(s3, "open", "cached"), 2020)
    where = Where("s3://open/cached", str(tmp_path))
    found = [read(where, 2020, QUESTION).counts.archive["source"]["cached"] for _ in range(2)]
    assert found == [False, True]


def test_damage_is_named_as_in_a_folder(s3):
    store = bucket(s3, "open", "damaged")
    obstore.put(store, "2020.tar.gz", (SAMPLE / "2020.tar.gz").read_bytes()[:-9])
    assert problem_of("s3://open/damaged").startswith("2020.tar.gz is cut short")
    obstore.put(store, "2020.tar.gz", gzip.compress(bytes(10240)))
    assert "holds no station's file" in problem_of("s3://open/damaged")


def test_an_archive_in_googles_storage_is_read_by_its_xml_interface(s3, monkeypatch):
    for name in stores.CREDENTIALS["gs"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_BASE_URL", s3)
    put_archives(bucket(s3, "open", "google"), 2020)
    put_stations(bucket(s3, "open", "google"), 2024)
    put_archives(bucket(s3, "closed"), 2020)
    for year in (2020, 2024):
        counts = read(Where("gs://open/google"), year, QUESTION).counts
        assert counts.stations == in_folder(year).stations
    assert "HTTP 403" in problem_of("gs://closed")


def test_an_account_for_azure_must_be_named(monkeypatch):
    monkeypatch.delenv(stores.ACCOUNT, raising=False)
    assert "needs AZURE_STORAGE_ACCOUNT_NAME" in problem_of("az://container")


def make_container(name):
    """Make a container that anybody may read, by Azure's own interface and signature."""
    headers = {
        "x-ms-blob-public-access": "container",
        "x-ms-date": formatdate(usegmt=True),
        "x-ms-version": "2021-08-06",
    }
    signed = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in headers.items())]
    signed += [f"/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{name}", "restype:container"]
    digest = hmac.new(base64.b64decode(AZURITE_KEY), "\n".join(signed).encode(), "sha256").digest()
    key = f"SharedKey {AZURITE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{AZURITE}/{AZURITE_ACCOUNT}/{name}?restype=container"
    request = urllib.request.Request(url, headers={**headers, "Authorization": key}, method="PUT")
    urllib.request.urlopen(request).close()


@pytest.fixture
def azurite(tmp_path, monkeypatch):
    """Azurite at the port where the library looks for it, with an empty container `gsod`."""
    program = str(AZURITE_PROGRAM) if AZURITE_PROGRAM.exists() else shutil.which("azurite-blob")
    if program is None:
        if os.environ.get("RAYKIT_REQUIRE_AZURITE"):
            pytest.fail("azurite-blob is not there")
        pytest.skip("needs Azurite: see .ci/run")
    process = started(
        [program, "--silent", "--inMemoryPersistence", "--skipApiVersionCheck"], 10000
    )
    monkeypatch.setenv(stores.EMULATOR, "true")
    monkeypatch.setenv(stores.ACCOUNT, AZURITE_ACCOUNT)
    make_container("gsod")
    yield
    process.kill()
    process.wait()


def test_archives_and_stations_in_azure_are_read(azurite, monkeypatch):
    store = AzureStore("gsod", client_options={"allow_http": True})
    put_archives(store, 2020)
    put_stations(store, 2024)
    for year in (2020, 2024):
        counts = read(Where("az://gsod"), year, QUESTION).counts
        assert counts.stations == in_folder(year).stations
    assert "years there: 2020 2024" in problem_of("az://gsod", 2019)
    assert "HTTP 403" in problem_of("az://nowhere"), "only its owner may learn what is not there"
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY)
    assert "HTTP 404 Not Found (ContainerNotFound" in problem_of("az://nowhere")
