"""What several unit tests share: a run record, a head that is a small server, stub programs."""

import http.server
import json
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from raykit.app.main import main
from raykit.measure.records import RunRecord
from raykit.testing import FakeHead
from tests.programs import write_program
from tests.servers import Server


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    """A process forgets no secret; each test begins without any."""
    monkeypatch.setattr("raykit.redaction._known", ())


@pytest.fixture(scope="session")
def own_folders(tmp_path_factory):
    return {name: str(tmp_path_factory.mktemp(name)) for name in ("runtime", "state")}


@pytest.fixture(autouse=True)
def no_other_raykit(monkeypatch, own_folders):
    """Heads that somebody keeps on this machine are not seen, and locks of others not met."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", own_folders["runtime"])
    monkeypatch.setenv("XDG_STATE_HOME", own_folders["state"])


@pytest.fixture
def make_record():
    """A record of one run; keyword arguments replace its fields."""

    def make(**fields):
        plain = {
            "id": "20261123-234249-fib-dce3",
            "submission_id": "20261123-234249-fib-dce3",
            "job": {"name": "fib", "arguments": ["--size", "9"], "entrypoint": ["python"]},
            "target": {"chosen": "running here", "kind": "local"},
            "versions": {"raykit": "0.1.0", "ray": "2.60.0"},
            "machine": {"cpu_model": "a CPU", "cpu_count": 2},
            "started": 1795477369.0,
        }
        return RunRecord(**(plain | fields))

    return make


@pytest.fixture
def ray():
    head = FakeHead()
    yield head
    head.close()


@pytest.fixture
def fast(monkeypatch):
    """Waiting between attempts takes a twentieth of its time."""
    from raykit.submission import following, log_tail

    class Clock:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(seconds):
            threading.Event().wait(seconds / 20)

    monkeypatch.setattr(following, "time", Clock)
    monkeypatch.setattr(log_tail, "RECONNECT_SECONDS", (0.005, 0.01, 0.02, 0.05))
    monkeypatch.setattr(log_tail, "READ_AGAIN_SECONDS", (0.005, 0.01, 0.02))


@pytest.fixture
def sleeps_of(monkeypatch):
    """`sleeps_of(module)`: the seconds that it sleeps from now on; time passes only by these."""

    def watch(module):
        slept = []

        class Clock:
            monotonic = staticmethod(lambda: sum(slept))
            sleep = staticmethod(slept.append)

        monkeypatch.setattr(module, "time", Clock)
        return slept

    return watch


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Puts stub programs, and nothing else, on PATH; `tools(docker="exit 1")`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for needed in ("sh", "cat", "sleep", "env"):
        for place in ("/bin", "/usr/bin"):
            (folder / needed).unlink(missing_ok=True)
            (folder / needed).symlink_to(f"{place}/{needed}")
            if (folder / needed).exists():
                break
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def write(**scripts):
        for name, script in scripts.items():
            text = f'#!/bin/sh\necho "{name} $*" >> {folder}/called\n{script}\n'
            write_program(folder / name, text)
        return folder

    write.called = lambda: (folder / "called").read_text().splitlines()
    return write


@pytest.fixture
def raykit(capsys, monkeypatch):
    """Runs a command in this process: exit code, stdout and stderr."""
    # The command line's own handlers must not replace those of pytest.
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """Writes a kubeconfig of one context and points KUBECONFIG at it."""

    def write(server, context="kind-here", user=None, **cluster):
        path = tmp_path / "kubeconfig"
        content = {
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {"token": "letter"}}],
        }
        path.write_text(yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


class ApiServer:
    """Answers by path; what it does not know is 404, as in Kubernetes. `asked`: all requests.

    Objects that it keeps (`keep`) are read, listed with selectors, applied, patched and deleted as
    by a real one; `refuse` goes before them.
    """

    def __init__(self):
        self.answers = {"/version": (200, {"gitVersion": "v1.36.2"})}
        self.kept = {}
        self.turned_away = {}
        self.asked = []
        self.tokens = []
        self.queries = []
        self.headers = []
        self.denied = ()
        self.refusals = {}

    def say(self, path, body, status=200):
        self.answers[path] = (status, body)

    def refuse(self, path, status, message):
        body = {"kind": "Status", "apiVersion": "v1", "code": status, "message": message}
        self.say(path, body, status)

    def turn_away(self, path, times, status=429, retry_after=None):
        """Refuse the next requests for a path, as a busy API server does."""
        self.turned_away[path] = [(status, retry_after)] * times

    def keep(self, plural, *items):
        """Keep objects of a kind, and answer lists of it, also where there are none."""
        kept = self.kept.setdefault(plural, {})
        for item in items:
            metadata = item["metadata"]
            kept[metadata.get("namespace"), metadata["name"]] = item

    def answer(self, method, path, query, body):
        """Status and body for a request."""
        if path in self.answers:
            return self.answers[path]
        parts = path.strip("/").split("/")
        parts = parts[3:] if parts[0] == "apis" else parts[2:]
        namespace = None
        if parts[:1] == ["namespaces"] and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        if len(parts) in (1, 2) and parts[0] in self.kept:
            kept = self.kept[parts[0]]
            if len(parts) == 1 and method == "POST":
                return self._created(parts[0], namespace, query, body)
            if len(parts) == 1:
                return 200, self._listed(kept, namespace, query)
            return self._one(kept, (namespace, parts[1]), method, query, body)
        if method == "POST":
            return self._created(parts[-1], namespace, query, body)
        if method == "PATCH":
            return 200, body
        return 404, {"kind": "Status", "code": 404, "message": "not found"}

    def _listed(self, kept, namespace, query):
        items = [
            item
            for (place, name), item in kept.items()
            if namespace in (None, place)
            and query.get("fieldSelector", f"metadata.name={name}") == f"metadata.name={name}"
            and _carries(item, query.get("labelSelector", ""))
        ]
        return {"metadata": {"resourceVersion": "1"}, "items": items}

    def _created(self, plural, namespace, query, body):
        if plural == "selfsubjectaccessreviews":
            asked = body["spec"]["resourceAttributes"]
            resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
            return 201, {
                **body,
                "status": {"allowed": (asked["verb"], resource) not in self.denied},
            }
        if plural == "selfsubjectreviews":
            return 201, {**body, "status": {"userInfo": {"username": "jane"}}}
        if plural in self.refusals:
            return 403, {"kind": "Status", "code": 403, "message": self.refusals[plural]}
        metadata = dict(body["metadata"])
        metadata.setdefault("name", f"{metadata.pop('generateName', '')}x")
        made = {**body, "metadata": {**metadata, "namespace": namespace, "uid": metadata["name"]}}
        if not query.get("dryRun"):
            self.keep(plural, made)
        return 201, made

    def _one(self, kept, key, method, query, body):
        before = kept.get(key)
        if before is None and method != "PATCH":
            return 404, {"kind": "Status", "code": 404, "message": "not found"}
        if method == "GET":
            return 200, before
        if method == "DELETE":
            meant = ((body or {}).get("preconditions") or {}).get("uid")
            found = before["metadata"].get("uid")
            if meant not in (None, found):
                why = f"Precondition failed: UID in precondition: {meant}, in object meta: {found}"
                return 409, {"kind": "Status", "code": 409, "message": why}
            return 200, kept.pop(key)
        wrong = _wrong_uid(key[1], before, body)
        if wrong:
            status, why = wrong
            return status, {"kind": "Status", "code": status, "message": why}
        after = _merged(before or {}, body)
        metadata = after["metadata"] = {"uid": f"uid-{key[1]}", **after["metadata"]}
        metadata.setdefault("creationTimestamp", "2026-11-24T00:00:00Z")
        same = before is not None and before["spec"] == after["spec"]
        metadata["generation"] = metadata.get("generation", 0) + (0 if same else 1)
        if "status" in after:  # as by an operator that acts at once
            after["status"] = {**after["status"], "observedGeneration": metadata["generation"]}
        if not query.get("dryRun"):
            kept[key] = after
        return 200, after


def _wrong_uid(name, before, body):
    """How Kubernetes 1.36 refuses an object that is applied with the uid of another one."""
    uid = (body.get("metadata") or {}).get("uid")
    if uid is None or (before and before["metadata"].get("uid") == uid):
        return None
    if before is None:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object"
        return 409, f'Operation cannot be fulfilled on rayclusters.ray.io "{name}": {why} was found'
    why = f'metadata.uid: Invalid value: "{uid}": field is immutable'
    return 422, f'RayCluster.ray.io "{name}" is invalid: {why}'


def _carries(item, selector):
    labels = item["metadata"].get("labels") or {}
    pairs = [part.partition("=") for part in selector.split(",") if part]
    return all(
        key in labels and (not equals or labels[key] == value) for key, equals, value in pairs
    )


def _merged(old, new):
    """What an apply or a merge patch makes: mappings are merged, everything else is replaced."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


@pytest.fixture
def api():
    """A small HTTP server that speaks as a Kubernetes API server does; `api.url`."""
    server = ApiServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            path, sent = urlsplit(self.path).path, json.loads(body) if body else None
            query = dict(parse_qsl(urlsplit(self.path).query))
            server.asked.append((self.command, path, sent))
            server.queries.append(query)
            server.headers.append(self.headers)
            server.tokens.append(self.headers.get("Authorization"))
            retry_after = None
            if server.turned_away.get(path):
                status, retry_after = server.turned_away[path].pop()
                told = {"kind": "Status", "code": status, "message": "too many requests"}
            else:
                status, told = server.answer(self.command, path, query, sent)
            data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(told, str) else "application/json"
            self.send_header("Content-Type", kind)
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *_):
            pass

    httpd = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    yield server
    httpd.shutdown()
    httpd.server_close()
    thread.join()
