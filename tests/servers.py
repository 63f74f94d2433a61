"""The HTTP server that tests serve with."""

import http.server
import sys


class Server(http.server.ThreadingHTTPServer):
    """A client may hang up at any time: that is no error of the server.

    Its traceback would be printed by a thread, for which CPython 3.11 parses source: meanwhile an
    `ast.parse` of another thread fails ("AST constructor recursion depth mismatch").
    """

    daemon_threads = True
    request_queue_size = 64  # five by default: more connections at once are reset

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
