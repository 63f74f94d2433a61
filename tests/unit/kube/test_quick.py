"""What completion asks an API server with: it answers as `Kubernetes` does, and loads faster."""

import json
import subprocess
import sys
from urllib.parse import parse_qsl, urlsplit

import pytest

from raykit.errors import KubernetesError, MissingError
from raykit.kube import connection as usual
from raykit.kube.access import access
from raykit.kube.quick import QuickKubernetes
from tests.unit.kube.servers import Answers, serving


@pytest.fixture
def both(api, kubeconfig):
    kubeconfig(api.url, user={"token": "letter", "as": "jane", "as-groups": ["one", "two"]})
    with usual.Kubernetes(access()) as slow, QuickKubernetes(access()) as quick:
        yield slow, quick


class Pages(Answers):
    """Gives five namespaces in pages of two, on one connection, as an API server does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = dict(parse_qsl(urlsplit(self.path).query))
        start = int(query.get("continue", 0))
        items = [{"metadata": {"name": f"n{n}"}} for n in range(start, min(start + 2, 5))]
        metadata = {"continue": str(start + 2)} if start + 2 < 5 else {}
        data = json.dumps({"metadata": metadata, "items": items}).encode()
        self.server.asked.append((self.client_address, query, sent(self.headers)))
        self.say(data)


def sent(headers):
    names = ("Authorization", "Accept", "Host", "Impersonate-User", "Impersonate-Group")
    return {name: headers.get_all(name) for name in names}


def test_all_pages_come_on_one_connection_and_the_same_is_asked_as_usual(kubeconfig):
    with serving(Pages) as server:
        kubeconfig(server.url, user={"token": "letter", "as": "jane", "as-groups": ["a", "b"]})
        server.asked, asked = [], []
        for kind in (usual.Kubernetes, QuickKubernetes):
            server.asked.clear()
            with kind(access()) as connection:
                pages = list(connection.pages("Namespace", metadata_only=True))
            assert [len(page) for page in pages] == [2, 2, 1]
            assert len({address for address, _, _ in server.asked}) == 1
            asked.append([request for _, *request in server.asked])
    assert asked[0] == asked[1]
    assert asked[1][0][1]["Impersonate-Group"] == ["a", "b"]


def test_a_refusal_is_the_same_error(both, api):
    api.refuse("/api/v1/namespaces", 403, "namespaces is forbidden")
    for connection in both:
        with pytest.raises(MissingError, match="not allowed in context kind-here"):
            connection.objects("Namespace")


def test_what_is_no_answer_of_an_api_server_is_the_same_error(both, api):
    api.say("/api/v1/namespaces", "<html>log in</html>")
    for connection in both:
        with pytest.raises(KubernetesError, match="is no Kubernetes API server"):
            connection.objects("Namespace")


def test_an_api_server_below_a_path_is_asked_there(api, kubeconfig):
    kubeconfig(f"{api.url}/k8s/clusters/c-1")
    api.say("/k8s/clusters/c-1/version", {"gitVersion": "v1.36.2"})
    with QuickKubernetes(access()) as connection:
        assert connection.version() == "v1.36.2"


def test_what_changes_something_is_sent_as_usual(both, api):
    _, quick = both
    item = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "new"}}
    assert quick.apply(item)["metadata"]["name"] == "new"


def test_nothing_that_listens_is_an_error(kubeconfig):
    kubeconfig("http://127.0.0.1:1")
    with QuickKubernetes(access()) as connection, pytest.raises(KubernetesError, match="reached"):
        connection.version()


class Proxy(Answers):
    """Answers for any server, as a proxy before it could."""

    def do_GET(self):
        self.say(b'{"gitVersion": "from the proxy"}')


@pytest.fixture
def proxy():
    with serving(Proxy) as server:
        yield server.url


@pytest.mark.parametrize("of_kubeconfig", [True, False])
def test_a_proxy_is_used(kubeconfig, proxy, of_kubeconfig, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if not of_kubeconfig:
        monkeypatch.setenv("http_proxy", proxy)
    kubeconfig("http://far.invalid", **({"proxy-url": proxy} if of_kubeconfig else {}))
    with QuickKubernetes(access()) as connection:
        assert connection.version() == "from the proxy"


def test_an_answer_loads_no_other_http_client(api, kubeconfig):
    kubeconfig(api.url)
    api.keep("namespaces", {"metadata": {"name": "one"}})
    code = "import sys; from raykit.flows import names; "
    code += "print(names.namespaces(names.Given('')), 'httpx2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[('one', '')] False\n"
