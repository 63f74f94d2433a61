"""A head that speaks the Jobs API on 127.0.0.1, in the words of Ray 2.60.0, and misbehaves as told.

Fields, statuses and texts were recorded from a real head; `tests/local/test_fake_ray.py` compares
each of them with a real head again.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from raykit.endpoint import Endpoint
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

NODE = "f" * 56
PATIENCE = 10.0
MOST_ROWS = 10_000
BODY_BYTES = 104_857_600
OPEN = ("/", "/api/authentication_mode", "/api/gcs_healthz", "/api/healthz")

VERSION = {"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4", "session_name": "s_1"}
NO_TOKEN = "Unauthorized: Missing authentication token"
WRONG_TOKEN = "Forbidden: Invalid authentication token"
NO_ADDRESS = "404: Not Found"
NO_JOB = "Job {id} does not exist"
NO_PACKAGE = "Package gcs://{name} does not exist"
NO_FILE = "A file is not found at: /tmp/ray/session_1/logs/{name}"
NO_NODE = "Agent for node id: {id} doesn't exist."
TOO_LARGE = f"Maximum request body size {BODY_BYTES} exceeded."
TOO_MANY_ROWS = (
    "Given limit {limit} exceeds the supported limit 10000. Use a lower limit, or set the "
    "`RAY_MAX_LIMIT_FROM_API_SERVER` environment variable to a larger value."
)
TOO_BUSY = (
    "Max number of in-progress requests=100 reached. To set a higher limit, set environment "
    "variable: export RAY_STATE_SERVER_MAX_HTTP_REQUEST='xxx'. Max allowed = 100"
)
EXISTS = """Traceback (most recent call last):
  File "ray/dashboard/modules/job/job_head.py", line 419, in submit_job
    resp = await job_agent_client.submit_job_internal(submit_request)
RuntimeError: Request failed with status code 400: Traceback (most recent call last):
  File "ray/dashboard/modules/job/job_manager.py", line 553, in submit_job
    raise ValueError(
ValueError: Job with submission_id {id} already exists. Please use a different submission_id.
.
"""

JOB = {
    "type": "SUBMISSION",
    "job_id": "01000000",
    "submission_id": "job-1",
    "driver_info": {"id": "01000000", "node_ip_address": "127.0.0.1", "pid": "27229"},
    "status": "RUNNING",
    "entrypoint": "python -m jobs.fib",
    "message": "Job is currently running.",
    "error_type": None,
    "start_time": 1_700_000_000_000,
    "end_time": None,
    "metadata": None,
    "runtime_env": None,
    "driver_agent_http_address": "http://127.0.0.1:45081",
    "driver_node_id": NODE,
    "driver_exit_code": None,
}
TASK = {
    "task_id": "67a2e8cfa5a06db3ffffffffffffffffffffffff01000000",
    "attempt_number": 0,
    "name": "fib",
    "state": "FINISHED",
    "job_id": "01000000",
    "actor_id": None,
    "type": "NORMAL_TASK",
    "func_or_class_name": "fib",
    "parent_task_id": "ffffffffffffffffffffffffffffffffffffffff01000000",
    "node_id": NODE,
    "worker_id": "98790d31dcadf8b599168fef8b9b628edafc4467963a434bcf05265c",
    "worker_pid": 27035,
    "error_type": None,
    "required_resources": {"CPU": 1.0},
    "creation_time_ms": 1_700_000_000_097.0,
    "start_time_ms": 1_700_000_000_114.0,
    "end_time_ms": 1_700_000_000_458.0,
    "error_message": None,
}
"""What raykit reads of a task row; Ray sends more."""
NODE_ROW = {
    "node_id": NODE,
    "node_ip": "127.0.0.1",
    "is_head_node": True,
    "state": "ALIVE",
    "state_message": None,
    "node_name": "127.0.0.1",
    "resources_total": {"CPU": 2.0, "memory": 16810903962.0, "node:__internal_head__": 1.0},
    "labels": {"ray.io/node-id": NODE},
    "start_time_ms": 1_700_000_000_000,
    "end_time_ms": 0,
}
ACTOR = {
    "actor_id": "3b1a4a3cd2e1d2a5f0f1b7f501000000",
    "class_name": "Loader",
    "state": "ALIVE",
    "job_id": "01000000",
    "name": "",
    "node_id": NODE,
    "pid": 27036,
}
"""What raykit reads of an actor row; Ray sends more."""


@dataclass
class FakeJob:
    """One job of the fake head. stops: whether asking for a stop ends it.

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

    @property
    def ended(self):
        return self.status in {"SUCCEEDED", "FAILED", "STOPPED"}

    def details(self):
        return JOB | {
            "submission_id": self.id,
            "status": self.status,
            "message": self.message,
            "error_type": self.error_type,
            "end_time": 1_700_000_001_500 if self.ended else None,
            "metadata": self.metadata or None,
            "driver_node_id": self.node,
            "driver_exit_code": self.exit_code,
        }


class FakeRay:
    """The head.

    token: what it asks for, None without authentication; mode: what it says of that.
    refuse: path prefix → (status, body), answered instead; drop: path prefixes whose connections
    are closed without an answer; hang: path prefixes that are never answered; cuts: bytes after
    which log connections break, one each in turn; chunk: bytes that a log is sent in at a time.
    gate: a header and its value without which an ingress lets nothing through.
    redirect: where every request is sent instead. turned_away: `Retry-After` of the next answers,
    429 each, as of an API server before the head that is busy; None: without it.
    on_submit, on_rows: called when a job comes, or rows of the state API are asked for;
    holds_submit: a submission gets no answer; keeps_metadata: nor does it change the job.
    tasks, nodes, actors: fields of rows that differ from the usual; forgotten: tasks that Ray's
    store of events has dropped.
    """

    def __init__(self):
        self.jobs: dict[str, FakeJob] = {}
        self.token: str | None = None
        self.mode = "disabled"
        self.refuse: dict[str, tuple[int, str]] = {}
        self.drop: set[str] = set()
        self.hang: set[str] = set()
        self.closing = threading.Event()
        self.gate: tuple[str, str] | None = None
        self.redirect: str | None = None
        self.turned_away: list[str | None] = []
        self.on_submit: Callable[[], None] = lambda: None
        self.on_rows: Callable[[], None] = lambda: None
        self.holds_submit = self.keeps_metadata = False
        self.cuts: list[int] = []
        self.chunk = 4096
        self.requests: list[tuple[str, str, dict]] = []
        self.sent = 0
        self.tasks: list[dict] = []
        self.nodes: list[dict] = []
        self.actors: list[dict] = []
        self.forgotten = 0
        self.packages: dict[str, bytes] = {}
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

    do_POST = do_PUT = do_GET

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
        if self.ray.turned_away:
            retry_after = self.ray.turned_away.pop()
            self.send_response(429)
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.ray.redirect:
            self.send_response(307)
            self.send_header("Location", self.ray.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        gate = self.ray.gate
        if gate and self.headers.get(gate[0]) != gate[1]:
            self._send(401, b"<h1>401 Authorization Required</h1>", "text/html")
            return
        try:
            if self._is_let_in(path):
                self._route(path)
        except OSError:
            self.close_connection = True

    def _is_let_in(self, path):
        """As Ray does: `Authorization` comes first, then `X-Ray-Authorization`."""
        given = self.headers.get("Authorization") or self.headers.get("X-Ray-Authorization")
        if self.ray.token is None or path in OPEN:
            return True
        if not given:
            self._say(401, NO_TOKEN)
        elif given != f"Bearer {self.ray.token}":
            self._say(403, WRONG_TOKEN)
        else:
            return True
        return False

    def _route(self, path):
        if path == "/api/version":
            self._json(VERSION)
        elif path == "/api/authentication_mode":
            self._json({"authentication_mode": self.ray.mode})
        elif path.startswith("/api/v0/logs/"):
            self._log_of_job(endless=path.endswith("stream"))
        elif path == "/api/v0/tasks":
            self._rows([TASK | row for row in self.ray.tasks], self.ray.forgotten)
        elif path == "/api/v0/nodes":
            self._rows([NODE_ROW | row for row in self.ray.nodes])
        elif path == "/api/v0/actors":
            self._rows([ACTOR | row for row in self.ray.actors])
        elif path.startswith("/api/packages/gcs/"):
            self._package(path.removeprefix("/api/packages/gcs/"))
        elif path.startswith("/api/jobs/"):
            self._job(path.removeprefix("/api/jobs/"))
        else:
            self._say(404, NO_ADDRESS)

    def _job(self, path):
        name, _, action = path.partition("/")
        name = unquote(name)
        if not name:
            self._submit() if self.command == "POST" else self._list()
            return
        job = self.ray.jobs.get(name)
        if job is None:
            self._say(404, NO_JOB.format(id=name))
        elif action == "logs":
            self._json({"logs": job.log.decode("utf-8").replace("\r\n", "\n")})
        elif action == "stop":
            going = not job.ended
            job.status = "STOPPED" if going and job.stops else job.status
            self._json({"stopped": going})
        else:
            job.asked += 1
            if job.steps and job.asked > 1:
                job.steps.pop(0)()
            self._json(job.details())

    def _submit(self):
        asked = json.loads(self.body)
        name = asked["submission_id"]
        if name in self.ray.jobs and not self.ray.keeps_metadata:
            self.ray.jobs[name].metadata = asked["metadata"]
        self.ray.on_submit()
        if self.ray.holds_submit:
            self.ray.closing.wait()
        self._json({"job_id": name, "submission_id": name})

    def _list(self):
        self._json([job.details() for job in self.ray.jobs.values()])

    def _package(self, name):
        if self.command == "PUT":
            if len(self.body) > BODY_BYTES:
                self._say(413, TOO_LARGE)
                return
            self.ray.packages[name] = self.body
        if name in self.ray.packages:
            self._say(200, "")
        else:
            self._say(404, NO_PACKAGE.format(name=name))

    def _rows(self, rows, forgotten=0):
        """Of all rows the source sends 10,000, of which filters take some, of which limit."""
        self.ray.on_rows()
        limit = int(self.query.get("limit", 100))
        if limit > MOST_ROWS:
            told = {"result": False, "msg": TOO_MANY_ROWS.format(limit=limit)}
            self._json({**told, "data": {"result": None}}, 400)
            return
        key, value = self.query.get("filter_keys"), self.query.get("filter_values")
        wanted = [row for row in rows if key is None or row[key] == value]
        sent = wanted[:MOST_ROWS]
        found = {
            "total": len(wanted) + forgotten,
            "num_after_truncation": len(sent),
            "num_filtered": len(sent),
            "result": sent[:limit],
            "partial_failure_warning": "",
            "warnings": None,
        }
        self._json({"result": True, "msg": "", "data": {"result": found}})

    def _json(self, data, status=200):
        self._send(status, json.dumps(data).encode(), "application/json; charset=utf-8")

    def _say(self, status, text):
        self._send(status, text.encode(), "text/plain; charset=utf-8")

    def _send(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log_of_job(self, *, endless):
        file = self.query["filename"]
        job = self.ray.jobs.get(file.removeprefix("job-driver-").removesuffix(".log"))
        if job is None:
            self._say(500, NO_FILE.format(name=file))
        elif self.query["node_id"] != job.node:
            self._say(500, NO_NODE.format(id=self.query["node_id"]))
        else:
            self._log(job, endless=endless)

    def _log(self, job, *, endless):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
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
        self.ray.sent += len(piece)
        self.wfile.write(b"%x\r\n%b" % (len(piece) + broken, piece))
        if broken:
            self.close_connection = True
        else:
            self.wfile.write(b"\r\n")
