"""A head on 127.0.0.1 that speaks the Jobs API as Ray 2.60.0 does, and misbehaves as told."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from raykit.endpoint import Endpoint
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport
from raykit.testing import jobs, server
from raykit.testing.jobs import FakeJob

PATIENCE = 10.0


class FakeHead:
    """The head: `url` is its address, `jobs` its jobs by their ids, `requests` what it was asked.

    It takes a submission as the next job that a test prepared (`next_job`). With `runs_jobs` it
    runs all others as child processes, without Ray; else it forgets them. It then needs a token:
    everybody on this machine may send it a command.

    How it misbehaves:

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

    def __init__(self, token: str | None = None, *, runs_jobs: bool = False) -> None:
        """Raises ValueError if it would run what anybody sends."""
        if runs_jobs and not token:
            raise ValueError("a head that runs jobs needs a token")
        self.jobs: dict[str, FakeJob] = {}
        self.token = token
        self.mode = "token" if token else "disabled"
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
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0
        self.tasks: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []
        self.actors: list[dict[str, Any]] = []
        self.forgotten = 0
        self.packages: dict[str, bytes] = {}
        self.transports: list[Transport] = []
        self.changed = threading.Condition()
        self.generation = 0
        self.runs_jobs = runs_jobs
        self._prepared: list[FakeJob] = []
        self._running: list[threading.Thread] = []
        self._folder = tempfile.TemporaryDirectory(prefix="raykit-fake-head-")
        handler = type("Handler", (server.Handler,), {"head": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def __enter__(self) -> FakeHead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the head and everything that it runs."""
        self.closing.set()
        self.cut()
        for job in self.jobs.values():
            job.kill()
        for thread in self._running:
            thread.join(PATIENCE)
        for transport in self.transports:
            transport.client.close()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self._folder.cleanup()

    def next_job(self, log: bytes = b"", exit_code: int | None = 0, **fields: Any) -> FakeJob:
        """What the next submission becomes: a job with this log that ended with this exit code.

        exit_code: None: it goes on running. fields: others of FakeJob.
        """
        job = FakeJob("", log=log, **fields)
        if exit_code is not None:
            job.end(exit_code)
        self._prepared.append(job)
        return job

    def job(self, **fields: Any) -> FakeJob:
        """A job that the head has already; job-1 where no id is given."""
        job = FakeJob(**({"id": "job-1"} | fields))
        self.jobs[job.id] = job
        return job

    def take(self, request: Mapping[str, Any]) -> None:
        """Make the job of a submission whose id is new."""
        name = request["submission_id"]
        if not self._prepared and not self.runs_jobs:
            return
        runs = not self._prepared
        job = FakeJob(name) if runs else self._prepared.pop(0)
        job.id, job.submitted, job.metadata = name, True, dict(request.get("metadata") or {})
        if runs:
            # Not the id: it is free text.
            folder = Path(self._folder.name) / str(len(self._running))
            thread = jobs.start(
                job, request, self.packages, folder, lambda data: self._append(job, data)
            )
            self._running += [thread] if thread else []
        self.jobs[name] = job

    def api(self, **endpoint: Any) -> JobsApi:
        """A client of this head; the keyword arguments are those of Endpoint."""
        self.transports.append(Transport(Endpoint(self.url, **endpoint)))
        return JobsApi(self.transports[-1])

    def asked(self, prefix: str) -> int:
        """How many requests there were for paths that begin so."""
        return sum(path.startswith(prefix) for _, path, _ in self.requests)

    def cut(self) -> None:
        """Break every log connection that is open."""
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    def _append(self, job: FakeJob, data: bytes) -> None:
        with self.changed:
            job.log += data
            self.changed.notify_all()

    # Steps of a job, run while its status is asked for.

    def writes(self, job: FakeJob, data: bytes) -> Callable[[], None]:
        """A step that writes to the log."""
        return lambda: self._append(job, data)

    def streams(self, job: FakeJob) -> Callable[[], None]:
        """A step that waits until some connection has carried the whole log."""

        def wait() -> None:
            with self.changed:
                assert self.changed.wait_for(lambda: job.streamed >= len(job.log), PATIENCE)

        return wait

    def ends(
        self, job: FakeJob, status: str = "SUCCEEDED", exit_code: int = 0
    ) -> Callable[[], None]:
        """A step that ends the job."""

        def end() -> None:
            job.status, job.exit_code = status, exit_code

        return end
