"""Every key of a kubeconfig's context is honoured in every request, or refused by name."""

import base64

import pytest
import yaml

from raykit import redaction
from raykit.errors import MissingError
from raykit.kube.access import access, last_read
from raykit.kube.connection import Kubernetes, connect

PROXY_KEYS = {"proxy-url": "http://me:hidden-word@127.0.0.1:1"}


def acted(headers):
    return [(name, value) for name, value in headers.items() if name.startswith("Impersonate-")]


def test_who_acts_as_somebody_else_does_so_in_every_request(api, kubeconfig):
    extra = {"acme%": ["c"], "example.org/Reason": ["a", "b"]}
    user = {
        "token": "letter",
        "as": "alice",
        "as-uid": "7",
        "as-groups": ["dev", "ops"],
        "as-user-extra": extra,
    }
    kubeconfig(api.url, user=user)
    with connect() as connection:
        connection.get("Secret", "absent", "ray")
    for headers in api.headers:
        assert acted(headers) == [
            ("Impersonate-User", "alice"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Group", "dev"),
            ("Impersonate-Group", "ops"),
            ("Impersonate-Extra-acme%25", "c"),
            ("Impersonate-Extra-example.org%2Freason", "a"),
            ("Impersonate-Extra-example.org%2Freason", "b"),
        ]
        assert headers["Authorization"] == "Bearer letter"


def test_the_clusters_own_proxy_is_asked_for_every_request(api, kubeconfig):
    kubeconfig("http://api.invalid:6443", **{"proxy-url": api.url})
    api.say("http://api.invalid:6443/version", {"gitVersion": "v1.36.2"})
    with connect() as connection:
        assert connection.version() == "v1.36.2"
    assert access().proxy == api.url


def test_a_password_in_the_servers_address_is_sent_and_never_shown(api, kubeconfig):
    kubeconfig(api.url.replace("http://", "http://me:hidden%2Fword@") + "/", user={"as": ""})
    with connect() as connection:
        assert connection.access.server == api.url
        assert "hidden" not in repr(connection.access)
    pair = base64.b64encode(b"me:hidden/word").decode()
    assert set(api.tokens) == {f"Basic {pair}"}
    assert redaction.redacted("hidden/word") == "[redacted]"


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"auth-provider": {"name": "oidc"}}, {}, "auth-provider is not supported"),
        ({"as-groups": ["a"]}, {}, "as is not given"),
        ({"as": 7}, {}, "as is not a plain text"),
        ({"as": "a", "as-groups": "b"}, {}, "as-groups is not a list"),
        ({"as": "a", "as-user-extra": ["b"]}, {}, "as-user-extra is not a mapping"),
        ({"as": "a", "as-user-extra": {"b": "c"}}, {}, "b is not a list"),
        ({"as": "ä"}, {}, "must be ASCII"),
        ({"as": "a\r\nX: b"}, {}, "as is not a plain text"),
        ({"token": "two\nlines"}, {}, "token holds no token"),
        ({"token": 7}, {}, "token holds no token"),
        ({"tokenFile": "/absent"}, {}, "tokenFile cannot be read"),
        ({"tokenFile": "/"}, {}, "tokenFile cannot be read"),
        ({"username": "me"}, {}, "must both be texts"),
        ({"exec": {"args": []}}, {}, "exec names no command"),
        ({"exec": "login"}, {}, "exec names no command"),
        ({"exec": {"command": "login", "args": "x"}}, {}, "exec.args is not a list"),
        ({"exec": {"command": "login", "env": [{"name": "x"}]}}, {}, "exec.env is not a list"),
        ({}, {"proxy-url": "socks5://h:1"}, "is a socks5 proxy"),
        ({}, {"proxy-url": "http://[::1"}, "proxy-url is not an address"),
        ({}, {"server": "http://[::1"}, "server is not an address"),
        ({}, {"server": "https://host:port"}, "server is not an address"),
        ({}, {"server": "host:6443"}, "server is not an address"),
        ({}, {"server": 7}, "server is not a plain text"),
        ({}, {"server": None}, "server is not given"),
        ({}, {"tls-server-name": ["a"]}, "tls-server-name is not a plain text"),
        ({}, {"insecure-skip-tls-verify": "yes"}, "is neither true nor false"),
        (
            {},
            {"insecure-skip-tls-verify": True, "certificate-authority": "ca.crt"},
            "contradicts its certificate-authority",
        ),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(kubeconfig, user, cluster, words):
    path = kubeconfig("https://one:6443", user=user or None)
    content = yaml.safe_load(path.read_text())
    content["clusters"][0]["cluster"].update(cluster)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(MissingError, match="cannot be used") as refused:
        access()
    assert words in refused.value.evidence[0]
    assert "two" not in str(refused.value.as_dict())


def test_a_token_file_without_end_is_not_read_to_its_end(kubeconfig, tmp_path):
    with (tmp_path / "endless").open("wb") as out:
        out.truncate(1 << 40)
    kubeconfig("https://one:6443", user={"tokenFile": str(tmp_path / "endless")})
    with pytest.raises(MissingError) as refused:
        access()
    assert "longer than 1024 KiB" in refused.value.evidence[0]


def test_a_token_file_that_is_binary_is_refused_without_being_shown(kubeconfig, tmp_path):
    (tmp_path / "token").write_bytes(b"\xff\x00secret")
    kubeconfig("https://one:6443", user={"tokenFile": str(tmp_path / "token")})
    with pytest.raises(MissingError) as refused:
        access()
    assert "secret" not in str(refused.value.as_dict())


def test_a_slow_login_program_is_no_absent_one_and_hides_its_arguments(
    kubeconfig, tools, monkeypatch
):
    monkeypatch.setattr("raykit.kube.credentials.TIMEOUT_SECONDS", 0.05)
    tools(login="exec sleep 30")
    program = {"command": "login", "args": ["--client-secret", "hidden"]}
    kubeconfig("https://one:6443", user={"exec": program})
    with pytest.raises(MissingError, match="did not end within") as late:
        access()
    assert "hidden" not in str(late.value.as_dict())
    assert late.value.next == "log in again with your cloud's own command"


def test_a_program_learns_the_cluster_only_where_it_asks(kubeconfig, tools, tmp_path):
    told = '{"status": {"token": "t"}}'
    tools(login=f"echo \"$KUBERNETES_EXEC_INFO\" > {tmp_path}/info; echo '{told}'")
    for asks in (False, True):
        kubeconfig(
            "https://one:6443", user={"exec": {"command": "login", "provideClusterInfo": asks}}
        )
        assert access().credentials.bearer == "t"
        assert ("one:6443" in (tmp_path / "info").read_text()) is asks


def test_credentials_that_are_no_longer_accepted_are_read_again_once(api, kubeconfig, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    kubeconfig(api.url, user={"tokenFile": str(token)})
    with connect() as connection:
        token.write_text("new")
        api.refuse("/version", 401, "Unauthorized")
        with pytest.raises(Exception, match="does not accept"):
            connection.version()
    assert api.tokens == ["Bearer old", "Bearer old", "Bearer new"]


def test_a_connection_with_an_end_reads_no_credentials_again(api, kubeconfig, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    kubeconfig(api.url, user={"tokenFile": str(token)})
    with connect(), Kubernetes(last_read(None), seconds=60) as hasty:
        token.write_text("new")
        api.refuse("/version", 401, "Unauthorized")
        with pytest.raises(Exception, match="does not accept"):
            hasty.version()
    assert api.tokens == ["Bearer old", "Bearer old"]
