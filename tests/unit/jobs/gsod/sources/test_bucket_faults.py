"""Buckets that refuse, move, expire and break: a web server gives the answers of S3's own."""

import os
import time

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.options import SAMPLE
from jobs.gsod.sources import stores
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.problems import reason
from jobs.gsod.sources.years import read

QUESTION = Question("TEMP", ">=", 80.0)
ROLE = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def s3(plain_http, monkeypatch):
    """A server that the Ray nodes' environment names in place of AWS, without credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", plain_http.url.removesuffix("/archive"))
    return plain_http.sample(2020)


def problem_of(where="s3://gsod"):
    with pytest.raises(DataProblem) as raised:
        read(Where(where), 2020, QUESTION)
    return " | ".join([raised.value.what, *raised.value.evidence])


def sha256_of(where="s3://gsod"):
    return read(Where(where), 2020, QUESTION).counts.archive["sha256"]


def in_folder():
    return sha256_of(str(SAMPLE))


def error(status, code, message=""):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return lambda h: h.plain(status, body, Content_Type="application/xml")


def test_an_archive_is_read_with_one_request(s3):
    assert sha256_of() == in_folder()
    assert s3.requests == [("GET", "/gsod/2020.tar.gz", None)]


def test_a_cut_is_resumed_with_the_same_hash(s3):
    content = s3.files["2020.tar.gz"]
    s3.faults.append(lambda h: h.serve(content, 9000))
    assert sha256_of() == in_folder()
    assert s3.requests[-1][2].startswith("bytes=9000-")


def test_a_busy_service_is_asked_again(s3):
    s3.faults += [error(503, "SlowDown", "Please reduce your request rate.")] * 2
    assert sha256_of() == in_folder()


def test_a_bucket_in_another_region_is_named_with_the_region_that_was_asked(s3, monkeypatch):
    s3.always = error(301, "PermanentRedirect", "The bucket must be addressed elsewhere.")
    assert "AWS_REGION is not set (us-east-1)" in problem_of()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    s3.always = error(400, "AuthorizationHeaderMalformed", "the region 'eu-west-1' is wrong")
    assert "AWS_REGION is eu-west-1" in problem_of()


def test_credentials_that_expired_are_named_by_their_variable(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-all")
    s3.always = error(400, "ExpiredToken", "The provided token has expired.")
    said = problem_of()
    assert "asked with the credentials of AWS_ACCESS_KEY_ID" in said
    assert "hidden-from-all" not in said


def test_a_refusal_says_that_no_credentials_were_sent(s3):
    s3.always = error(403, "AccessDenied", "Access Denied")
    said = problem_of()
    assert "asked without credentials" in said
    assert "AWS_SKIP_SIGNATURE=false" in said


def test_credentials_of_the_machine_are_used_where_the_environment_asks_for_them(s3, monkeypatch):
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "false")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", s3.url.removesuffix("/archive"))
    signed = []
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    keys = f'"AccessKeyId":"MACHINE","SecretAccessKey":"s","Token":"t","Expiration":"{later}"'

    def machine(h):
        if h.path == "/latest/api/token":
            return h.plain(200, b"token")
        if h.path == ROLE:
            return h.plain(200, b"role")
        if h.path == f"{ROLE}role":
            return h.plain(200, f'{{"Code":"Success",{keys}}}'.encode())
        signed.append("Credential=MACHINE" in h.headers.get("Authorization", ""))
        return False

    s3.always = machine
    assert sha256_of() == in_folder()
    assert signed == [True]


def test_a_public_bucket_is_asked_without_the_credentials_of_the_environment(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    signed = []
    s3.always = lambda h: signed.append("Authorization" in h.headers)
    assert sha256_of() == in_folder()
    assert signed == [False]


def test_a_service_that_is_not_on_this_machine_needs_tls(monkeypatch, impatient):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:9000")
    assert "not encrypted" in problem_of()


@pytest.mark.parametrize("text", ["unknown", "HTTP error: error sending request"])
def test_no_reason_repeats_a_signed_address(text):
    address = "https://account.blob.core.windows.net/gsod/2020.tar.gz?sv=1&sig=secret"
    error = ValueError(f"Generic error: Error performing GET {address} in 3 s - {text}")
    assert "secret" not in reason(error)
    assert reason(error).endswith(text)


@pytest.mark.parametrize("kind", sorted(stores.CREDENTIALS))
def test_requests_are_signed_only_if_the_environment_names_credentials(kind, monkeypatch):
    for name in (*stores.CREDENTIALS[kind], stores.SKIP[kind]):
        monkeypatch.delenv(name, raising=False)
    assert not stores.signs(kind)
    monkeypatch.setenv(stores.SKIP[kind], "false")
    assert stores.signs(kind)
    monkeypatch.delenv(stores.SKIP[kind])
    monkeypatch.setenv(stores.CREDENTIALS[kind][-1], "x")
    assert stores.signs(kind)
    monkeypatch.setenv(stores.SKIP[kind], "true")
    assert not stores.signs(kind)
