"""A web server with archives, over TLS, that can fail in every way that servers do."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import subprocess
import threading
from collections import deque
from email.utils import formatdate
from hashlib import sha256

from jobs.gsod.options import SAMPLE
from tests.servers import Server

REVISED = 1_600_000_000.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers HEAD and GET with ranges, as NCEI's server does, unless a fault is due."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_PUT(self):
        self.answer()

    def answer(self):
        origin = self.server.origin
        origin.requests.append((self.command, self.path, self.headers.get("Range")))
        fault = origin.faults.popleft() if origin.faults else origin.always
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            if fault is None or not fault(self):
                self.serve(origin.files.get(self.path.rpartition("/")[2]))

    def serve(self, content, stop=None, **headers):
        """Send a file or the range that is asked for; of a file that is cut only up to `stop`."""
        if content is None:
            return self.plain(404, b"no such file")
        first = self.first_byte()
        sent = content[first:stop]
        self.send_response(206 if first else 200)
        usual = {
            "ETag": f'"{sha256(content).hexdigest()[:16]}"',
            "Last-Modified": formatdate(REVISED, usegmt=True),
            "Content-Type": "application/gzip",
            "Content-Length": str(len(content) - first),
        }
        if first:
            usual["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        for name, value in (usual | {k.replace("_", "-"): v for k, v in headers.items()}).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(sent)
        self.close_connection = stop is not None
        return True

    def first_byte(self):
        asked = self.headers.get("Range")
        return int(asked.partition("=")[2].partition("-")[0]) if asked else 0

    def plain(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def content(self):
        return self.server.origin.files[self.path.rpartition("/")[2]]


class OriginServer(Server):
    def get_request(self):
        connection, client = super().get_request()
        context = self.origin.context
        if context:
            connection = context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client


class Origin:
    """One server: files by name, faults for the next requests, and the requests it had."""

    def __init__(self, certificates=None, host="localhost"):
        self.context, self.host = None, host
        if certificates:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self.files = {}
        self.faults = deque()
        self.always = None
        self.requests = []
        self.server = OriginServer((host, 0), Handler)
        self.server.origin = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        scheme = "https" if self.context else "http"
        return f"{scheme}://{self.host}:{self.server.server_port}/archive"

    def sample(self, *years):
        for year in years:
            name = f"{year}.tar.gz"
            self.files[name] = (SAMPLE / name).read_bytes()
        return self

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certify(folder, names):
    """An authority (`ca.pem`) and a server's certificate for these names, in a folder."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text(f"subjectAltName={names}")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    return folder
