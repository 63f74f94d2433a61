"""A head at an address: behind an ingress, with its own certificate, its own credentials."""

import base64
import json
import shutil
import ssl
import subprocess

import pytest

from raykit.errors import JobsApiError, MissingError, UsageError
from raykit.flows.targets import address, choosing
from raykit.flows.targets.where import Where
from raykit.progress import Progress
from raykit.redaction import known, redacted
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without a token and without a kubeconfig."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAYKIT_HEADERS", "RAYKIT_CA"):
        monkeypatch.delenv(name, raising=False)


def version(url, *headers, **environ):
    """What a head at this address says; its endpoint."""
    target = choosing.choose(Where(environ, url, headers=headers))
    with target.open(Progress()) as endpoint, Transport(endpoint) as transport:
        return JobsApi(transport).version()["ray_version"], endpoint


def test_the_token_goes_to_a_head_only_if_it_asks_for_one(ray):
    version(ray.url, RAY_AUTH_TOKEN="to-ken")
    assert not any("to-ken" in str(headers) for _, _, headers in ray.requests)
    ray.mode = ray.token = "token"
    assert version(ray.url, RAY_AUTH_TOKEN="token")[0] == "2.60.0"


def test_an_ingress_that_wants_the_token_for_every_address_gets_it(ray):
    ray.mode, ray.gate = "token", ("Authorization", "Bearer to-ken")
    ray.token = "to-ken"
    answer, endpoint = version(ray.url, RAY_AUTH_TOKEN="to-ken")
    assert (answer, endpoint.headers) == ("2.60.0", {"Authorization": "Bearer to-ken"})


def test_without_a_token_the_ingress_is_named_and_what_to_send(ray):
    ray.gate = ("Authorization", "Bearer to-ken")
    with pytest.raises(JobsApiError, match="asks for credentials of its own") as refused:
        version(ray.url)
    assert "--header" in refused.value.next
    assert "RAY_AUTH_TOKEN" in refused.value.next


@pytest.mark.parametrize("way", ["option", "environment", "file", "address"])
def test_an_ingress_with_credentials_of_its_own_leaves_the_other_header_to_ray(ray, tmp_path, way):
    pair = base64.b64encode(b"me:pass word").decode()
    ray.gate = ("Authorization", f"Basic {pair}")
    ray.mode = "token"
    line, environ, words, url = f"Authorization: Basic {pair}", {}, [], ray.url
    if way == "option":
        words = [line]
    elif way == "environment":
        environ = {"RAYKIT_HEADERS": f"X-Tenant: blue\n{line}\n"}
    elif way == "file":
        (tmp_path / "headers").write_text(line + "\n")
        words = [f"@{tmp_path / 'headers'}"]
    else:
        url = url.replace("://", "://me:pass%20word@")
    answer, endpoint = version(url, *words, RAY_AUTH_TOKEN="to-ken", **environ)
    assert answer == "2.60.0"
    assert endpoint.headers["X-Ray-Authorization"] == "Bearer to-ken"
    assert {pair, "pass word", "to-ken"} <= set(known())
    assert endpoint.target == {"kind": "url", "url": ray.url}
    assert "blue" not in known()


def test_a_token_that_an_ingress_hides_from_ray_is_refused_with_what_the_ingress_must_do(ray):
    ray.mode, ray.token = "token", "to-ken"
    ray.refuse["/api/version"] = (403, "Forbidden: Invalid authentication token")
    with pytest.raises(JobsApiError, match="does not accept the token") as refused:
        version(ray.url, "Authorization: Basic bWU6cGFzcw==", RAY_AUTH_TOKEN="to-ken")
    assert "Ray reads Authorization first" in refused.value.evidence[-1]
    assert 'proxy_set_header Authorization ""' in refused.value.next


def test_no_credential_of_an_address_is_shown_or_stored(ray):
    target = choosing.choose(Where({}, ray.url.replace("://", "://me:pass-word@")))
    assert target.reason == f"running on {ray.url} (--on)"
    with target.open(Progress()) as endpoint:
        shown = json.dumps([endpoint.target, target.reason, repr(endpoint), repr(target)])
    assert "pass-word" not in shown
    assert redacted("Basic " + base64.b64encode(b"me:pass-word").decode()) == "Basic [redacted]"


def test_the_option_comes_before_the_environment_whatever_the_case():
    environ = {"RAYKIT_HEADERS": "x-key: one\nX-Other: two"}
    chosen = address.of_url("http://h", "--on", environ, ["X-Key: three"], None)
    assert chosen.headers == {"X-Other": "two", "X-Key": "three"}


@pytest.mark.parametrize("word", ["s3cret", "Näme: s3cret", "A b: s3cret", ": s3cret", "A: s3crét"])
def test_what_is_no_header_is_wrong_usage_and_not_shown(word):
    with pytest.raises(UsageError) as refused:
        address.of_url("http://h", "--on", {}, [word], None)
    assert "s3cr" not in str(refused.value.as_dict())


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    for name in ("missing", "binary"):
        with pytest.raises(MissingError, match="cannot be read"):
            address.of_url("http://h", "--on", {}, [f"@{tmp_path / name}"], None)
        with pytest.raises(MissingError, match="no certificates"):
            address.trust(tmp_path / name)
    with pytest.raises(MissingError, match="holds no token"):
        address.find_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "binary")})


def test_a_file_without_end_is_not_read_to_its_end(tmp_path):
    # As /dev/zero is: raykit once took all memory of the machine.
    endless = tmp_path / "endless"
    with endless.open("wb") as out:
        out.truncate(1 << 40)
    with pytest.raises(MissingError) as token:
        address.find_token({"RAY_AUTH_TOKEN_PATH": str(endless)})
    with pytest.raises(MissingError) as headers:
        address.of_url("http://h", "--on", {}, [f"@{endless}"], None)
    assert token.value.evidence == headers.value.evidence == ("it is longer than 1024 KiB",)


@pytest.mark.parametrize("on", [None, "local", "some-cluster"])
def test_headers_and_certificates_beside_another_place_are_refused(on, tmp_path):
    with pytest.raises(UsageError, match="--header and --ca would do nothing"):
        choosing.choose(Where({}, on, headers=("A: b",), ca=tmp_path))
    with pytest.raises(UsageError, match="--ca would do nothing: the address is not https"):
        choosing.choose(Where({}, "http://h", ca=tmp_path))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_of_ones_own_authority_is_trusted_with_ca(ray, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    ray.server.socket = context.wrap_socket(ray.server.socket, server_side=True)
    url = f"https://localhost:{ray.server.server_port}/"
    with pytest.raises(JobsApiError, match="cannot be verified") as refused:
        version(url)
    assert "--ca" in refused.value.next
    assert version(url, RAYKIT_CA=str(certificate))[0] == "2.60.0"
    target = choosing.choose(Where({}, url, ca=certificate))
    with target.open(Progress()) as endpoint, Transport(endpoint) as transport:
        assert JobsApi(transport).version()["ray_version"] == "2.60.0"


def test_a_file_of_headers_that_names_itself_is_wrong_usage(tmp_path):
    file = tmp_path / "headers"
    file.write_text(f"X-A: b\n@{file}\n")
    with pytest.raises(UsageError, match="a line is no header"):
        address.of_url("http://h", "--on", {}, [f"@{file}"], None)


def test_a_user_without_a_home_has_no_token_there(monkeypatch):
    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert address.find_token({}) is None
