"""Small HTTP servers that stand where an API server or a proxy would."""

import contextlib
import http.server
import threading

from tests.servers import Server


class Answers(http.server.BaseHTTPRequestHandler):
    """`say(data)` answers with JSON; nothing is logged."""

    def say(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler, tls=None):
    """A server on loopback with its `url`. tls: its SSLContext."""
    with Server(("127.0.0.1", 0), handler) as httpd:
        if tls:
            httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        httpd.url = f"{'https' if tls else 'http'}://127.0.0.1:{httpd.server_port}"
        try:
            yield httpd
        finally:
            httpd.shutdown()
            thread.join()
