"""The kubeconfig is merged as kubectl does it, and each fault is named with its place."""

import base64
import contextlib
import copy
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit.errors import MissingError
from raykit.kube import kubeconfig as kubeconfigs
from raykit.kube.access import access
from raykit.kube.connection import Kubernetes
from tests.programs import write_program


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


ONE = """
current-context: first
contexts:
- {name: first, context: {cluster: one, user: me, namespace: ray}}
clusters:
- {name: one, cluster: {server: "https://one:6443", certificate-authority: ca.crt}}
users:
- {name: me, user: {token: letter}}
"""
TWO = """
current-context: second
contexts:
- {name: first, context: {cluster: other, user: me}}
- {name: second, context: {cluster: two, user: me}}
clusters:
- {name: two, cluster: {server: "https://two:6443"}}
"""


def test_of_several_files_the_first_that_names_something_counts(tmp_path, monkeypatch):
    one, two = write(tmp_path / "a" / "one", ONE), write(tmp_path / "two", TWO)
    monkeypatch.setenv("KUBECONFIG", f"{one}:{tmp_path / 'absent'}::{two}")
    merged = kubeconfigs.load()
    assert merged.current == "first"
    assert merged.contexts["first"]["cluster"] == "one"
    assert set(merged.clusters) == {"one", "two"}
    assert merged.clusters["one"]["certificate-authority"] == str(tmp_path / "a" / "ca.crt")


def test_a_context_of_one_file_may_use_a_user_of_another(tmp_path, monkeypatch):
    one, two = write(tmp_path / "one", ONE), write(tmp_path / "two", TWO)
    monkeypatch.setenv("KUBECONFIG", f"{one}:{two}")
    second = access("second")
    assert second.server == "https://two:6443"
    assert second.credentials.bearer == "letter"
    assert second.namespace is None
    assert access().namespace == "ray"


def test_without_any_file_there_is_no_kubeconfig(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    assert kubeconfigs.load() is None
    with pytest.raises(MissingError, match="there is no kubeconfig") as missing:
        access()
    assert missing.value.evidence == (f"{tmp_path / 'absent'} does not exist",)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: [1,\nc: }", 3, "did not find expected node content"),
        ("a:\n  - 1\n\t- 2", 3, "character"),
        ("just words", 1, "it is not a mapping"),
        ("kind: Config\ncontexts: 7", 2, "contexts is not a list"),
        ("kind: Config\n\nusers:\n- {user: {}}", 3, "an entry of users has no name"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path, monkeypatch, text, line, problem):
    path = write(tmp_path / "broken", text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(MissingError) as malformed:
        kubeconfigs.load()
    assert malformed.value.what == f"the kubeconfig is malformed at {path}:{line}"
    assert problem in malformed.value.evidence[0]


def test_an_unknown_context_gets_the_nearest_names(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "one", ONE)))
    with pytest.raises(MissingError, match="no context frist") as missing:
        access("frist")
    assert missing.value.evidence == ("did you mean first?", "there are: first")


def test_no_current_context_lists_those_there_are(tmp_path, monkeypatch):
    text = ONE.replace("current-context: first\n", "")
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "one", text)))
    with pytest.raises(MissingError, match="no current context") as missing:
        access()
    assert missing.value.evidence == ("there are: first",)


def test_without_any_context_the_way_to_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "one", "kind: Config\n")))
    with pytest.raises(MissingError, match="has no context") as missing:
        access()
    assert missing.value.next.startswith("raykit kind up ")


def test_a_context_whose_cluster_is_not_there_is_refused(tmp_path, monkeypatch):
    text = ONE.replace("cluster: one", "cluster: gone")
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "one", text)))
    with pytest.raises(MissingError, match="names a cluster that is not there: gone"):
        access()


def test_a_context_name_may_hold_slashes_and_colons(tmp_path, monkeypatch):
    text = ONE.replace("first", "arn:aws:eks:us-east-1:1:cluster/prod")
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "one", text)))
    assert access().context == "arn:aws:eks:us-east-1:1:cluster/prod"


def with_program(path, **keys):
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", **keys}
    return write(path, ONE.replace("{token: letter}", json.dumps({"exec": program})))


def login(folder, script):
    write_program(folder / "login", f"#!/bin/sh\n{script}\n")


def test_a_program_beside_the_kubeconfig_gives_the_token(tmp_path, monkeypatch):
    told = json.dumps({"status": {"token": "fresh"}})
    login(tmp_path, f"test \"$WHO\" = me && echo '{told}'")
    env = [{"name": "WHO", "value": "me"}]
    monkeypatch.setenv("KUBECONFIG", str(with_program(tmp_path / "one", env=env)))
    assert access().credentials.bearer == "fresh"


def test_a_program_may_give_a_client_certificate(tmp_path, monkeypatch):
    status = {"clientCertificateData": "CERT", "clientKeyData": "KEY"}
    login(tmp_path, f"echo '{json.dumps({'status': status})}'")
    monkeypatch.setenv("KUBECONFIG", str(with_program(tmp_path / "one")))
    certificate = access().credentials.certificate
    assert base64.b64decode(certificate.data) == b"CERT"
    assert base64.b64decode(certificate.key_data) == b"KEY"


def test_an_expired_login_is_told_with_what_the_program_said(tmp_path, monkeypatch):
    login(tmp_path, "echo secret-token; echo 'session expired' >&2; exit 1")
    monkeypatch.setenv("KUBECONFIG", str(with_program(tmp_path / "one")))
    with pytest.raises(MissingError, match="gave no credential") as expired:
        access()
    assert expired.value.evidence == ("session expired",)
    assert "log in again" in expired.value.next


def test_an_absent_program_is_named_with_its_hint(tmp_path, monkeypatch):
    path = with_program(tmp_path / "one", command="no-such-login", installHint="get it there")
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(MissingError, match="no-such-login is not on PATH") as absent:
        access()
    assert absent.value.next == "get it there"


@pytest.mark.parametrize("said", ["", "{}", '{"status": {}}', "no json"])
def test_a_program_that_prints_no_credential_is_refused(tmp_path, monkeypatch, said):
    login(tmp_path, f"echo '{said}'")
    monkeypatch.setenv("KUBECONFIG", str(with_program(tmp_path / "one")))
    with pytest.raises(MissingError, match="printed no credential"):
        access()


SECTIONS = yaml.safe_load(ONE)


def test_a_kubeconfig_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    with (tmp_path / "endless").open("wb") as out:
        out.truncate(1 << 40)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "endless"))
    with pytest.raises(MissingError) as refused:
        access()
    assert refused.value.evidence == ("it is longer than 16384 KiB",)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"a: \xed\xa0\x80",
        b'current-context: "\\ud800"',
        b"a: &a [*a]",
        b"clusters: &a\n- *a\n",
        b"clusters:\n- &a {name: one, cluster: *a}\n",
        b"[" * 100_000,
        b"a: 2001-99-99",
        b"a: 0b",
        b"? {a: b}\n: c",
        b"? [a]\n: c",
        b"<<: 7",
        b"a: &a {<<: *a}",
        b"!!python/object/apply:os.system [x]",
        b"a: !!float x",
        b"a: !!int ''",
        b"a: !!timestamp x",
        b"a: !!binary \xc3\xa4",
        b"a: " + b"9" * 5000,
        b"a: 1e999999999",
        b"current-context: 7",
        b"users:\n- {name: me, user: text}",
        b"\x00",
        b"a: b\x07",
        b"--- a\n--- b",
    ],
)
def test_bytes_that_are_no_kubeconfig_are_refused_or_empty(tmp_path, monkeypatch, data):
    path = tmp_path / "odd"
    path.write_bytes(data)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(MissingError):
        access()


def test_a_mark_at_the_beginning_that_editors_leave_is_no_part_of_it(tmp_path, monkeypatch):
    path = tmp_path / "marked"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert access().context == "first"


@pytest.mark.parametrize("name", ["folder", "closed/config", "x" * 300, "~nobody-of-this-name/c"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed").write_text("a file, no folder")
    monkeypatch.setenv("KUBECONFIG", name if name.startswith("~") else str(tmp_path / name))
    with pytest.raises(MissingError):
        access()


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["http://[::1", "http://me:pw@h:1", "https://h:1/path", "socks5://h", "\x85"]),
)
KEYS = {
    "cluster": (
        *("server", "certificate-authority", "certificate-authority-data", "proxy-url"),
        *("insecure-skip-tls-verify", "tls-server-name"),
    ),
    "user": (
        *("token", "tokenFile", "username", "password", "exec", "auth-provider", "as", "as-uid"),
        *("as-groups", "as-user-extra", "client-certificate", "client-key-data"),
    ),
    "context": ("cluster", "user", "namespace"),
}
CHANGES = st.sampled_from(
    [(section, key) for section, keys in KEYS.items() for key in keys]
).flatmap(lambda place: st.tuples(st.just(place), ODD))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_no_value_of_any_key_ends_in_a_traceback(tmp_path, monkeypatch, changes):
    content = copy.deepcopy(SECTIONS)
    for (section, key), value in changes:
        content[f"{section}s"][0][section][key] = value
    path = tmp_path / "odd"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8", "surrogatepass")
    monkeypatch.setenv("KUBECONFIG", str(path))
    with contextlib.suppress(MissingError), Kubernetes(access()) as connection:
        _ = connection.headers()
        _ = connection._client


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=80), st.integers(0, len(ONE)), st.integers(0, 40))
def test_no_bytes_in_the_file_end_in_a_traceback(tmp_path, monkeypatch, data, at, lost):
    path = tmp_path / "odd"
    path.write_bytes(ONE[:at].encode() + data + ONE[at + lost :].encode())
    monkeypatch.setenv("KUBECONFIG", str(path))
    with contextlib.suppress(MissingError):
        access()
