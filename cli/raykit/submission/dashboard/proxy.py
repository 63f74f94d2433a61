"""Ray's dashboard for a browser on this machine: a loopback proxy that adds the head's token.

A browser cannot send the header that the head asks for. It opens an address that works once and
gets a cookie. Requests without that cookie, from another origin, or with another host name (DNS
rebinding) are refused. The token never reaches the browser.

The host name is random. Browsers resolve every name below `localhost` to this machine and send a
cookie to all ports of its host; other servers on this machine do not know this host name.
"""

from __future__ import annotations

import contextlib
import hmac
import re
import secrets
import threading
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2

from raykit.errors import RaykitError
from raykit.submission.transport import Transport

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16
NOT_PASSED_ON = frozenset(
    {
        "authorization",
        "connection",
        "cookie",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-ray-authorization",
    }
)
NEVER_PASSED_ON = ("sec-", "impersonate-")
"""Beginnings of header names. A page must not impersonate users at the API server."""
NOT_PASSED_BACK = frozenset(
    {"connection", "date", "keep-alive", "server", "set-cookie", "transfer-encoding", "upgrade"}
)
TRUSTED_SITES = (None, "none", "same-origin")
BODYLESS = (204, 304)
COOKIE = "raykit"
ENTERED = b"""<!doctype html>
<meta http-equiv="refresh" content="0; url=/">
<title>Ray's dashboard</title>
<p>This page leads to <a href="/">Ray's dashboard</a>.</p>
"""
"""The page that sets the cookie and leads on. A redirect would not do: the browser came from a
file, and a SameSite cookie goes only with requests from this site."""


class DashboardProxy(ThreadingHTTPServer):
    """Serves the dashboard of one head on a free loopback port until it is closed."""

    daemon_threads = True

    def __init__(self, transport: Transport) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.transport = transport
        self.host = f"raykit-{secrets.token_hex(8)}.localhost:{self.server_port}"
        self.cookie = secrets.token_urlsafe(32)
        self.key: str | None = secrets.token_urlsafe(32)
        self.address = f"http://{self.host}/enter?key={self.key}"
        self.key_lock = threading.Lock()

    def take_key(self, given: str) -> bool:
        """Whether this is the key; it works only once."""
        with self.key_lock:
            is_valid = self.key is not None and _same(given, self.key)
            if is_valid:
                self.key = None
            return is_valid


@contextlib.contextmanager
def serve(transport: Transport) -> Iterator[DashboardProxy]:
    """A proxy that runs while the block lasts."""
    with DashboardProxy(transport) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DashboardProxy

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle_one_request()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the first address holds the key."""

    def _answer(self) -> None:
        entering = urlsplit(self.path).path == "/enter"
        reason = self._foreign(entering)
        if reason:
            self._say(403, reason)
        elif entering:
            self._enter()
        elif not self._has_cookie():
            self._say(403, "open the address that raykit dashboard printed")
        elif not _is_plain(self.path):
            self._say(400, "not a path of the dashboard")
        elif not re.fullmatch("[0-9]{1,18}", self.headers.get("Content-Length") or "0"):
            self._say(400, "Content-Length is no number")
        else:
            self._pass_on()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def _foreign(self, entering: bool) -> str | None:
        """Why this request cannot come from our pages; None if it can.

        entering: it is the first request, which comes from a file and brings the key.
        """
        if self.headers.get_all("Host") != [self.server.host]:
            return f"this server answers only as {self.server.host}"
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{self.server.host}":
            return "other origins are refused"
        if not entering and self.headers.get("Sec-Fetch-Site") not in TRUSTED_SITES:
            return "other sites are refused"
        return None

    def _enter(self) -> None:
        key = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
        if self.command != "GET" or not self.server.take_key(key):
            self._say(403, "this address works once, and was used: run raykit dashboard again")
            return
        self.send_response(200)
        self.send_header(
            "Set-Cookie", f"{COOKIE}={self.server.cookie}; Path=/; HttpOnly; SameSite=Strict"
        )
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(ENTERED)))
        self.end_headers()
        self.wfile.write(ENTERED)

    def _has_cookie(self) -> bool:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return False
        cookie = cookies.get(COOKIE)
        return cookie is not None and _same(cookie.value, self.server.cookie)

    def _pass_on(self) -> None:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in NOT_PASSED_ON and not name.lower().startswith(NEVER_PASSED_ON)
        }
        try:
            with self.server.transport.relay(
                self.command, self.path, headers, self._body()
            ) as response:
                self._pass_back(response)
        except RaykitError as error:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self._say(502, error.what)

    def _body(self) -> Iterator[bytes] | None:
        length = int(self.headers.get("Content-Length") or 0)
        return self._pieces(length) if length else None

    def _pieces(self, left: int) -> Iterator[bytes]:
        while left and (piece := self.rfile.read(min(left, CHUNK))):
            left -= len(piece)
            yield piece

    def _pass_back(self, response: httpx2.Response) -> None:
        """Send the answer on, each piece as it arrives."""
        self.send_response(response.status_code)
        for raw_name, raw_value in response.headers.raw:
            # `send_header` writes latin-1, so the bytes go on as they came.
            name = raw_name.decode("latin-1")
            if name.lower() not in NOT_PASSED_BACK:
                self.send_header(name, raw_value.decode("latin-1"))
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        sized = "content-length" in response.headers
        empty = self.command == "HEAD" or response.status_code in BODYLESS
        if not sized and not empty:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if empty:
            return
        for piece in response.iter_raw():
            self._write(piece if sized else b"%x\r\n%b\r\n" % (len(piece), piece))
        if not sized:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def _say(self, status: int, text: str) -> None:
        self.close_connection = True
        body = f"raykit: {text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _is_plain(target: str) -> bool:
    """Whether a request's target stays below the head's address, even if it is decoded twice."""
    path = unquote(unquote(target.partition("?")[0]))
    visible = re.fullmatch(r"/[!-~]*", target) is not None
    return visible and ".." not in path.replace("\\", "/").split("/")
