"""TLS to an API server is what the kubeconfig says of it: authority, name, client certificate."""

import base64
import json
import ssl
import subprocess

import pytest

from raykit.errors import KubernetesError, MissingError
from raykit.kube.access import access
from raykit.kube.connection import connect
from raykit.kube.quick import QuickKubernetes
from raykit.kuberay import reach
from raykit.kuberay.raycluster import Cluster
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport
from tests.unit.kube.servers import Answers, serving


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a server named `inner.example`, and a client named `jane`, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        folder, "req", "-x509", *key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca"
    )
    (folder / "name").write_text("subjectAltName=DNS:inner.example")
    for name, subject, more in (
        ("server", "/CN=server", ("-extfile", "name")),
        ("client", "/CN=jane", ()),
    ):
        openssl(
            folder, "req", *key, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr"
        )
        signed = ("-in", f"{name}.csr", "-out", name, "-CA", "ca", "-CAkey", "ca.key")
        openssl(folder, "x509", "-req", *signed, "-CAcreateserial", *more)
    return folder


@pytest.fixture
def secure(certificates):
    """A small API server that speaks TLS, asks for a client certificate and notes the name."""
    clients, names = [], []

    class Handler(Answers):
        def do_GET(self):
            found = self.connection.getpeercert() or {}
            clients.append([dict(part)["commonName"] for part in found.get("subject", [])])
            self.say(json.dumps({"gitVersion": "v1.36.2", "ray_version": "2.60.0"}).encode())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server", certificates / "server.key")
    context.load_verify_locations(certificates / "ca")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with serving(Handler, context) as httpd:
        httpd.clients, httpd.names = clients, names
        yield httpd


def encoded(path):
    return base64.b64encode(path.read_bytes()).decode()


def test_the_server_is_checked_under_the_name_that_the_kubeconfig_gives(
    secure, kubeconfig, certificates
):
    authority = {"certificate-authority": str(certificates / "ca")}
    kubeconfig(secure.url, **authority)
    with pytest.raises(KubernetesError, match="cannot be trusted"):
        connect()
    kubeconfig(secure.url, **authority, **{"tls-server-name": "inner.example"})
    with connect() as connection:
        assert connection.version() == "v1.36.2"
    assert secure.names[-1] == "inner.example"


def test_the_service_proxy_is_asked_under_that_name_too(secure, kubeconfig, certificates):
    authority = {"certificate-authority-data": encoded(certificates / "ca")}
    kubeconfig(secure.url, **authority, **{"tls-server-name": "inner.example"})
    with connect() as connection:
        small = Cluster(connection, "small", "ray", {"spec": {}})
        with Transport(reach.endpoint(small)) as transport:
            assert JobsApi(transport).version()["ray_version"] == "2.60.0"
    assert set(secure.names) == {"inner.example"}


@pytest.mark.parametrize("as_data", [False, True])
def test_a_client_certificate_is_shown_and_leaves_no_file(
    secure, kubeconfig, certificates, as_data, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    suffix = "-data" if as_data else ""
    value = encoded if as_data else str
    user = {
        f"client-certificate{suffix}": value(certificates / "client"),
        f"client-key{suffix}": value(certificates / "client.key"),
    }
    kubeconfig(secure.url, user=user, **{"insecure-skip-tls-verify": True})
    with connect():
        assert secure.clients == [["jane"]]
    assert [path.name for path in tmp_path.iterdir()] == ["kubeconfig"]


def test_completion_checks_the_server_and_shows_the_certificate_too(
    secure, kubeconfig, certificates
):
    user = {
        "client-certificate-data": encoded(certificates / "client"),
        "client-key-data": encoded(certificates / "client.key"),
    }
    authority = {"certificate-authority-data": encoded(certificates / "ca")}
    kubeconfig(secure.url, user=user, **authority)
    with QuickKubernetes(access()) as connection, pytest.raises(KubernetesError, match="reached"):
        connection.version()
    kubeconfig(secure.url, user=user, **authority, **{"tls-server-name": "inner.example"})
    with QuickKubernetes(access()) as connection:
        assert connection.version() == "v1.36.2"
    assert secure.clients == [["jane"]]
    assert secure.names[-1] == "inner.example"


def test_the_systems_authorities_do_not_know_a_private_one(secure, kubeconfig):
    kubeconfig(secure.url, **{"tls-server-name": "inner.example"})
    with pytest.raises(KubernetesError, match="TLS failed"):
        connect()


@pytest.mark.parametrize(
    ("user", "cluster"),
    [
        ({}, {"certificate-authority": "/absent"}),
        ({}, {"certificate-authority-data": "bm8gY2VydGlmaWNhdGU="}),
        ({}, {"certificate-authority-data": "/w=="}),
        ({}, {"certificate-authority-data": "a"}),
        ({"client-certificate": "/absent", "client-key": "/absent"}, {}),
        ({"client-key": "/absent"}, {}),
        ({"client-certificate-data": "bm9uZQ==", "client-key-data": "bm9uZQ=="}, {}),
    ],
)
def test_a_certificate_that_cannot_be_read_is_the_kubeconfigs_fault(kubeconfig, user, cluster):
    kubeconfig("https://127.0.0.1:1", user=user or None, **cluster)
    with pytest.raises(MissingError, match="context kind-here cannot be used"):
        connect()


def test_a_key_with_a_password_is_refused_without_asking_for_it(kubeconfig, certificates):
    locked = certificates / "locked.key"
    words = ("ec", "-in", "client.key", "-aes256", "-passout", "pass:word", "-out", "locked.key")
    openssl(certificates, *words)
    user = {"client-certificate": str(certificates / "client"), "client-key": str(locked)}
    kubeconfig("https://127.0.0.1:1", user=user)
    with pytest.raises(MissingError, match="cannot be used"):
        connect()
