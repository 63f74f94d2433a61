"""A connection for a shell that waits: Python's own HTTP client loads in a fraction of the time.

Kubeconfig, credentials, TLS, pages and what an answer may hold are those of `Kubernetes`. Only the
requests are sent in another way, and only where no proxy can be in between.
"""

from __future__ import annotations

import http.client
from functools import cached_property
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies

from raykit.errors import KubernetesError
from raykit.kube import answers
from raykit.kube.api_server import READ_SECONDS, Request, is_loopback, pause_after
from raykit.kube.connection import Kubernetes

PIECE = 2**16


class QuickKubernetes(Kubernetes):
    """`Kubernetes` for a few requests that only read, of one thread.

    A request without an answer is a KubernetesError (5) that names no cause: completion is silent.
    """

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _renewed(self) -> bool:
        renewed = super()._renewed()
        if renewed:
            self._hang_up()
        return renewed

    def _answered(self, request: Request) -> tuple[int, bytes, float | None]:
        if request.method != "GET" or self._may_need_a_proxy():
            return super()._answered(request)
        try:
            with self._understood():
                return self._read(self._sent(request))
        except (OSError, http.client.HTTPException) as failed:
            self._hang_up()
            raise KubernetesError(
                f"the API server of context {self.about} cannot be reached",
                evidence=[str(failed) or type(failed).__name__],
            ) from failed

    def _may_need_a_proxy(self) -> bool:
        # Where NO_PROXY makes an exception of a host, the other client knows it.
        server = self.access.server
        return bool(self.access.proxy) or (not is_loopback(server) and bool(getproxies()))

    @cached_property
    def _http(self) -> http.client.HTTPConnection:
        address = urlsplit(self.access.server)
        host = address.hostname or ""
        if isinstance(self.tls, bool):
            return http.client.HTTPConnection(host, address.port, timeout=READ_SECONDS)
        return http.client.HTTPSConnection(
            host, address.port, timeout=READ_SECONDS, context=self.tls
        )

    def _hang_up(self) -> None:
        if http := self.__dict__.pop("_http", None):
            http.close()

    def _sent(self, request: Request) -> http.client.HTTPResponse:
        path = urlsplit(self.access.server).path + request.path
        self._http.putrequest("GET", f"{path}?{urlencode(request.query or {})}")
        for name, value in [*self.headers(), *(request.headers or {}).items()]:
            self._http.putheader(name, value)
        self._http.endheaders()
        return self._http.getresponse()

    def _read(self, answer: http.client.HTTPResponse) -> tuple[int, bytes, float | None]:
        pause = pause_after(answer.status, answer.headers.get("Retry-After"))
        with answer:
            return answer.status, answers.body(iter(lambda: answer.read1(PIECE), b"")), pause
