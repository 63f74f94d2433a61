"""Web servers on loopback, and the job without Ray."""

from __future__ import annotations

import json
import shutil

import pytest

import jobs.gsod.__main__ as gsod_job
from jobs.gsod.sources import download, stores
from tests.gsod_origin import Origin, certify


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority of our own, and a server's certificate for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    return certify(tmp_path_factory.mktemp("authority"), "DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def impatient(monkeypatch):
    """The same number of tries with shorter pauses."""
    monkeypatch.setattr(stores, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(stores, "LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(download, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def https(authority, monkeypatch, impatient):
    """The server over TLS, whose authority the Ray nodes' environment names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    origin = Origin(authority)
    yield origin
    origin.close()


@pytest.fixture
def plain_http(impatient):
    origin = Origin()
    yield origin
    origin.close()


@pytest.fixture
def run(capfd):
    """The job without Ray: its exit status, its events, and what it says on stderr."""

    def run(*words):
        status = gsod_job.main(["--method", "local", *map(str, words)])
        out, err = capfd.readouterr()
        lines = out.splitlines()
        events = [json.loads(line) for line in lines if line.startswith('{"raykit"')]
        return status, events, err

    return run
