"""What several unit tests share: a run record, and a small Jobs API on loopback."""

import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
import yaml

from raykit.app.main import main
from raykit.endpoint import Endpoint
from raykit.measure.records import RunRecord
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

NODE = "f" * 56
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    """A process forgets no secret; each test begins without any."""
    monkeypatch.setattr("raykit.redaction._known", ())


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


@dataclass
class FakeJob:
    """One job of the fake head.

    `steps` are run one at each question after its status, but for the first: only then does
    somebody read the log.
    """

    id: str
    log: bytes = b""
    status: str = "RUNNING"
    node: str | None = NODE
    message: str = ""
    exit_code: int | None = None
    error_type: str | None = None
    metadata: dict = field(default_factory=dict)
    steps: list[Callable[[], None]] = field(default_factory=list)
    stops: bool = True
    streamed: int = 0
    asked: int = 0

    def details(self):
        ended = self.status in {"SUCCEEDED", "FAILED", "STOPPED"}
        return {
            "type": "SUBMISSION",
            "submission_id": self.id,
            "job_id": "01000000",
            "entrypoint": "python -m jobs.fib",
            "status": self.status,
            "message": self.message,
            "error_type": self.error_type,
            "start_time": 1_700_000_000_000,
            "end_time": 1_700_000_001_500 if ended else None,
            "metadata": self.metadata,
            "driver_node_id": self.node,
            "driver_exit_code": self.exit_code,
        }


class FakeRay:
    """A head that speaks the Jobs API on 127.0.0.1 and misbehaves as told.

    refuse: path prefix → (status, body), answered instead; drop: path prefixes whose connections
    are closed without an answer; hang: path prefixes that are never answered; cuts: bytes after
    which log connections break, one each in turn; chunk: bytes that a log is sent in at a time.
    on_submit, on_rows: called when a job comes, or rows of the state API are asked for;
    holds_submit: a submission gets no answer; keeps_metadata: nor does it change the job.
    """

    def __init__(self):
        self.jobs: dict[str, FakeJob] = {}
        self.refuse: dict[str, tuple[int, str]] = {}
        self.drop: set[str] = set()
        self.hang: set[str] = set()
        self.closing = threading.Event()
        self.on_submit: Callable[[], None] = lambda: None
        self.on_rows: Callable[[], None] = lambda: None
        self.holds_submit = self.keeps_metadata = False
        self.cuts: list[int] = []
        self.chunk = 4096
        self.mode = "disabled"
        self.requests: list[tuple[str, str, dict]] = []
        self.tasks: list[dict] = []
        self.nodes: list[dict] = []
        self.transports: list[Transport] = []
        self.changed = threading.Condition()
        self.generation = 0
        fake = self

        class Handler(FakeHandler):
            ray = fake

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.closing.set()
        self.cut()
        for transport in self.transports:
            transport.client.close()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def job(self, **fields) -> FakeJob:
        job = FakeJob(**({"id": "job-1"} | fields))
        self.jobs[job.id] = job
        return job

    def api(self, **endpoint) -> JobsApi:
        self.transports.append(Transport(Endpoint(self.url, **endpoint)))
        return JobsApi(self.transports[-1])

    def asked(self, prefix: str) -> int:
        return sum(path.startswith(prefix) for _, path, _ in self.requests)

    def cut(self) -> None:
        """Break every log connection that is open."""
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    # Steps of a job, run while its status is asked for.

    def writes(self, job: FakeJob, data: bytes) -> Callable[[], None]:
        def write():
            with self.changed:
                job.log += data
                self.changed.notify_all()

        return write

    def streams(self, job: FakeJob) -> Callable[[], None]:
        """Wait until some connection has carried the whole log."""

        def wait():
            with self.changed:
                assert self.changed.wait_for(lambda: job.streamed >= len(job.log), PATIENCE)

        return wait

    def ends(self, job: FakeJob, status: str = "SUCCEEDED", exit_code: int = 0):
        def end():
            job.status, job.exit_code = status, exit_code

        return end


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ray: FakeRay

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def _answer(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.ray.requests.append((self.command, path, dict(self.headers)))
        if any(path.startswith(prefix) for prefix in self.ray.hang):
            self.ray.closing.wait()
            self.close_connection = True
            return
        if any(path.startswith(prefix) for prefix in self.ray.drop):
            self.close_connection = True
            return
        for prefix, (status, text) in list(self.ray.refuse.items()):
            if path.startswith(prefix):
                self._send(status, text.encode(), "text/html")
                return
        try:
            self._route(path)
        except OSError:
            self.close_connection = True

    def _route(self, path):
        if path == "/api/version":
            self._json({"version": "4", "ray_version": "2.60.0", "ray_commit": "abc"})
        elif path == "/api/authentication_mode":
            self._json({"authentication_mode": self.ray.mode})
        elif path.startswith("/api/v0/logs/"):
            name = self.query["filename"].removeprefix("job-driver-").removesuffix(".log")
            self._log(self.ray.jobs[name], endless=path.endswith("stream"))
        elif path == "/api/v0/tasks":
            self._rows(self.ray.tasks)
        elif path == "/api/v0/nodes":
            self._rows(self.ray.nodes)
        else:
            self._job(path)

    def _job(self, path):
        parts = path.removeprefix("/api/jobs/").split("/")
        if parts == [""] and self.command == "POST":
            asked = json.loads(self.body)
            if asked["submission_id"] in self.ray.jobs and not self.ray.keeps_metadata:
                self.ray.jobs[asked["submission_id"]].metadata = asked["metadata"]
            self.ray.on_submit()
            if self.ray.holds_submit:
                self.ray.closing.wait()
            self._json({"submission_id": asked["submission_id"]})
            return
        if parts == [""]:
            self._json([job.details() for job in self.ray.jobs.values()])
            return
        job = self.ray.jobs.get(unquote(parts[0]))
        if job is None:
            self._send(404, b"Job not found")
        elif parts[1:] == ["logs"]:
            self._json({"logs": job.log.decode("utf-8").replace("\r\n", "\n")})
        elif parts[1:] == ["stop"]:
            job.status = "STOPPED" if job.stops else job.status
            self._json({"stopped": True})
        else:
            job.asked += 1
            if job.steps and job.asked > 1:
                job.steps.pop(0)()
            self._json(job.details())

    def _rows(self, rows):
        self.ray.on_rows()
        found = {"result": rows, "num_filtered": len(rows), "total": len(rows)}
        self._json({"result": True, "msg": "", "data": {"result": found}})

    def _json(self, data):
        self._send(200, json.dumps(data).encode(), "application/json")

    def _send(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log(self, job, *, endless):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ray = self.ray
        with ray.changed:
            generation, left = ray.generation, ray.cuts.pop(0) if ray.cuts else None
        sent, whole = 0, job.log
        while True:
            with ray.changed:
                if endless:
                    ray.changed.wait_for(
                        lambda sent=sent: sent < len(job.log) or ray.generation != generation
                    )
                    whole = job.log
                if ray.generation != generation:
                    break
            piece = whole[sent : sent + ray.chunk]
            if left is not None and len(piece) >= left:
                self._chunk(piece[:left], broken=True)
                return
            if not piece:
                self.wfile.write(b"0\r\n\r\n")
                return
            self._chunk(piece)
            sent += len(piece)
            left = None if left is None else left - len(piece)
            with ray.changed:
                job.streamed = max(job.streamed, sent)
                ray.changed.notify_all()
        self.close_connection = True

    def _chunk(self, piece, *, broken=False):
        """One chunk; a broken one promises a byte more than it brings."""
        self.wfile.write(b"%x\r\n%b" % (len(piece) + broken, piece))
        if broken:
            self.close_connection = True
        else:
            self.wfile.write(b"\r\n")


@pytest.fixture
def ray():
    head = FakeRay()
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
            path = folder / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/called\n{script}\n')
            path.chmod(0o755)
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
        self.asked = []
        self.tokens = []
        self.queries = []
        self.headers = []

    def say(self, path, body, status=200):
        self.answers[path] = (status, body)

    def refuse(self, path, status, message):
        body = {"kind": "Status", "apiVersion": "v1", "code": status, "message": message}
        self.say(path, body, status)

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
            if len(parts) == 1:
                return 200, self._listed(kept, namespace, query)
            return self._one(kept, (namespace, parts[1]), method, query, body)
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

    def _one(self, kept, key, method, query, body):
        before = kept.get(key)
        if before is None and method != "PATCH":
            return 404, {"kind": "Status", "code": 404, "message": "not found"}
        if method == "GET":
            return 200, before
        if method == "DELETE":
            return 200, kept.pop(key)
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
            status, told = server.answer(self.command, path, query, sent)
            data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(told, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_DELETE = answer

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    yield server
    httpd.shutdown()
    httpd.server_close()
    thread.join()
