"""A server on loopback that serves one real archive, as NOAA's does."""

import hashlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from raykit.archives import fetch as fetching

SAMPLE = Path(__file__).parents[3] / "jobs" / "data" / "gsod" / "2020.tar.gz"
WHOLE = SAMPLE.read_bytes()
DIGEST = hashlib.sha256(WHOLE).hexdigest()


class Archive(BaseHTTPRequestHandler):
    """Serves one file with ranges; the server's `plan` says what goes wrong, request by request."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        step = server.plan.pop(0) if server.plan else {}
        body, etag = step.get("body", server.body), step.get("etag", server.etag)
        if "status" in step:
            self.send_error(step["status"])
            return
        begin = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == etag:
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body) - begin))
        self.send_header("ETag", etag)
        self.end_headers()
        end = step.get("cut", len(body))
        self.wfile.write(body[begin:end])

    def log_message(self, *words):
        pass


def fetched(store, server, *wanted, **options):
    return fetching.fetch(store, list(wanted or [2020]), server.url, **options)
