"""The HTTP server of the fake head."""

from __future__ import annotations

import json
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from raykit.testing import recorded
from raykit.testing.jobs import FakeJob

if TYPE_CHECKING:
    from raykit.testing.head import FakeHead


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; `head` says how."""

    protocol_version = "HTTP/1.1"
    head: FakeHead

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Answer a request of any method."""
        self._answer()

    do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        self.body = self._read_body()
        address = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.head.requests.append((self.command, address.path, dict(self.headers)))
        if self._is_cut_off(address.path):
            self.close_connection = True
        elif not self._is_turned_away(address.path):
            try:
                if self._is_let_in(address.path):
                    self._route(address.path)
            except OSError:
                self.close_connection = True

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _is_cut_off(self, path: str) -> bool:
        """Whether this request gets no answer, at once or until the head closes."""
        hangs = any(path.startswith(prefix) for prefix in self.head.hang)
        if hangs:
            self.head.closing.wait()
        return hangs or any(path.startswith(prefix) for prefix in self.head.drop)

    def _is_turned_away(self, path: str) -> bool:
        """Whether somebody before Ray answers this request, and does so."""
        head = self.head
        refusals = [answer for prefix, answer in head.refuse.items() if path.startswith(prefix)]
        if refusals:
            self._send(refusals[0][0], refusals[0][1].encode(), "text/html")
        elif head.turned_away:
            self._empty(429, "Retry-After", head.turned_away.pop())
        elif head.redirect:
            self._empty(307, "Location", head.redirect)
        elif head.gate and self.headers.get(head.gate[0]) != head.gate[1]:
            self._send(401, b"<h1>401 Authorization Required</h1>", "text/html")
        else:
            return False
        return True

    def _is_let_in(self, path: str) -> bool:
        """As Ray does: `Authorization` comes first, then `X-Ray-Authorization`."""
        given = self.headers.get("Authorization") or self.headers.get("X-Ray-Authorization")
        if self.head.token is None or path in recorded.OPEN:
            return True
        if not given:
            self._say(401, recorded.NO_TOKEN)
        elif given != f"Bearer {self.head.token}":
            self._say(403, recorded.WRONG_TOKEN)
        else:
            return True
        return False

    def _route(self, path: str) -> None:
        if path == "/api/version":
            self._json(recorded.VERSION)
        elif path == "/api/authentication_mode":
            self._json({"authentication_mode": self.head.mode})
        elif path.startswith("/api/v0/logs/"):
            self._log_of_job(endless=path.endswith("stream"))
        elif path == "/api/v0/tasks":
            self._rows([recorded.TASK | row for row in self.head.tasks], self.head.forgotten)
        elif path == "/api/v0/nodes":
            self._rows([recorded.NODE_ROW | row for row in self.head.nodes])
        elif path == "/api/v0/actors":
            self._rows([recorded.ACTOR | row for row in self.head.actors])
        elif path.startswith("/api/packages/gcs/"):
            self._package(path.removeprefix("/api/packages/gcs/"))
        elif path.startswith("/api/jobs/"):
            self._job(path.removeprefix("/api/jobs/"))
        else:
            self._say(404, recorded.NO_ADDRESS)

    def _job(self, path: str) -> None:
        name, _, action = path.partition("/")
        name = unquote(name)
        if not name:
            self._submit() if self.command == "POST" else self._list()
            return
        job = self.head.jobs.get(name)
        if job is None:
            self._say(404, recorded.NO_JOB.format(id=name))
        elif action == "logs":
            self._json({"logs": job.log.decode("utf-8").replace("\r\n", "\n")})
        elif action == "stop":
            self._json({"stopped": job.stop()})
        else:
            job.asked += 1
            if job.steps and job.asked > 1:
                job.steps.pop(0)()
            self._json(job.details())

    def _submit(self) -> None:
        asked = json.loads(self.body)
        name = asked["submission_id"]
        job = self.head.jobs.get(name)
        if job is not None and job.submitted:
            self._say(500, recorded.EXISTS.format(id=name))
            return
        if job is None:
            self.head.take(asked)
        elif not self.head.keeps_metadata:
            job.metadata = asked["metadata"]
        self.head.on_submit()
        if self.head.holds_submit:
            self.head.closing.wait()
        self._json({"job_id": name, "submission_id": name})

    def _list(self) -> None:
        self._json([job.details() for job in self.head.jobs.values()])

    def _package(self, name: str) -> None:
        if self.command == "PUT":
            if len(self.body) > recorded.BODY_BYTES:
                self._say(413, recorded.TOO_LARGE)
                return
            self.head.packages[name] = self.body
        if name in self.head.packages:
            self._say(200, "")
        else:
            self._say(404, recorded.NO_PACKAGE.format(name=name))

    def _rows(self, rows: list[dict[str, Any]], forgotten: int = 0) -> None:
        """Of all rows the source sends 10,000, of which filters take some, of which limit."""
        self.head.on_rows()
        limit = int(self.query.get("limit", 100))
        if limit > recorded.MOST_ROWS:
            refused = {"result": False, "msg": recorded.TOO_MANY_ROWS.format(limit=limit)}
            self._json({**refused, "data": {"result": None}}, 400)
            return
        key, value = self.query.get("filter_keys"), self.query.get("filter_values")
        wanted = [row for row in rows if key is None or row[key] == value]
        sent = wanted[: recorded.MOST_ROWS]
        found = {
            "total": len(wanted) + forgotten,
            "num_after_truncation": len(sent),
            "num_filtered": len(sent),
            "result": sent[:limit],
            "partial_failure_warning": "",
            "warnings": None,
        }
        self._json({"result": True, "msg": "", "data": {"result": found}})

    def _json(self, data: object, status: int = 200) -> None:
        self._send(status, json.dumps(data).encode(), "application/json; charset=utf-8")

    def _say(self, status: int, text: str) -> None:
        self._send(status, text.encode(), "text/plain; charset=utf-8")

    def _empty(self, status: int, header: str, value: str | None) -> None:
        self.send_response(status)
        if value is not None:
            self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log_of_job(self, *, endless: bool) -> None:
        file = self.query["filename"]
        job = self.head.jobs.get(file.removeprefix("job-driver-").removesuffix(".log"))
        if job is None:
            self._say(500, recorded.NO_FILE.format(name=file))
        elif self.query["node_id"] != job.node:
            self._say(500, recorded.NO_NODE.format(id=self.query["node_id"]))
        else:
            self._log(job, endless=endless)

    def _log(self, job: FakeJob, *, endless: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        head = self.head
        with head.changed:
            generation, left = head.generation, head.cuts.pop(0) if head.cuts else None
        sent, whole = 0, job.log
        while True:
            with head.changed:
                if endless:
                    head.changed.wait_for(partial(self._is_news, job, sent, generation))
                    whole = job.log
                if head.generation != generation:
                    break
            piece = whole[sent : sent + head.chunk]
            if left is not None and len(piece) >= left:
                self._chunk(piece[:left], broken=True)
                return
            if not piece:
                self.wfile.write(b"0\r\n\r\n")
                return
            self._chunk(piece)
            sent += len(piece)
            left = None if left is None else left - len(piece)
            with head.changed:
                job.streamed = max(job.streamed, sent)
                head.changed.notify_all()
        self.close_connection = True

    def _is_news(self, job: FakeJob, sent: int, generation: int) -> bool:
        """Whether there is more of a log to send, or its connections break."""
        return sent < len(job.log) or self.head.generation != generation

    def _chunk(self, piece: bytes, *, broken: bool = False) -> None:
        """One chunk; a broken one promises a byte more than it brings."""
        self.head.sent += len(piece)
        self.wfile.write(b"%x\r\n%b" % (len(piece) + broken, piece))
        if broken:
            self.close_connection = True
        else:
            self.wfile.write(b"\r\n")
