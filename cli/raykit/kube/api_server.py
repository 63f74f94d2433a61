"""Requests to one Kubernetes API server, sent again where the API server asks for that."""

from __future__ import annotations

import ipaddress
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from raykit.errors import KubernetesError
from raykit.kube import answers, errors
from raykit.kube.access import Access, access
from raykit.kube.answers import StrangeAnswerError
from raykit.kube.tls import ssl_context
from raykit.objects import Object

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0
"""raykit must report an unreachable context within 10 s: these time-outs keep to that."""

BUSY_SECONDS = 15.0
"""How long a request is sent again to an API server that is busy."""

SHORTEST_WAIT = 0.01

READY = "/readyz"
"""Everybody may ask for it, whatever the rules say."""

PAUSE_SECONDS, SHORTEST_PAUSE = 1.0, 0.2
"""The pause before that, if the API server names none (`Retry-After`), and the shortest one."""


@dataclass(frozen=True)
class Request:
    """One request to the API server. path: with its leading slash. body: sent as JSON."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: Object | None = None


class ApiServer:
    """Sends requests with the user's credentials.

    about: the context and what it allows. context: its name.

    If the API server rejects the credentials (401), they are read again once, but not with
    `seconds`. If it is busy (429, or 5xx with `Retry-After`), the request is sent again for 15 s:
    it was not carried out, and every request that raykit sends may be carried out twice. So is what
    an API server that is still starting forbids (403): it has not read its RBAC rules yet.

    seconds: after which no request waits any longer; None: each has time-outs of its own.
    """

    def __init__(self, access: Access, seconds: float | None = None) -> None:
        self.access = access
        self.about, self.context = access.about, access.context
        self._ends = math.inf if seconds is None else time.monotonic() + seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def headers(self) -> list[tuple[str, str]]:
        """The headers of every request: the credential, and for whom it acts."""
        authorization = self.access.credentials.authorization
        credential = [("Authorization", authorization)] if authorization else []
        return [*credential, *self.access.impersonation]

    @cached_property
    def tls(self) -> ssl.SSLContext | bool:
        """The SSL context for the API server, with our client certificate; True for plain HTTP."""
        if urlsplit(self.access.server).scheme != "https":
            return True
        with self._translated():
            return ssl_context(self.access.tls)

    def close(self) -> None:
        """Close the HTTP connections; requests that still run fail."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        with self._translated():
            return httpx2.Client(
                base_url=self.access.server,
                headers=self.headers(),
                # Plain HTTP needs no certificates, and loading them takes longer than a request.
                verify=False if self.tls is True else self.tls,
                proxy=self.access.proxy,
                trust_env=not is_loopback(self.access.server),
            )

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Status and body of the answer to a request."""
        deadline = min(time.monotonic() + BUSY_SECONDS, self._ends)
        while True:
            status, data, pause = self._answered(request)
            # What has an end is advice, for which nobody has to log in once more.
            may_renew = self._ends == math.inf
            if status == errors.UNAUTHORIZED and may_renew and self._renewed():
                status, data, pause = self._answered(request)
            if status == errors.FORBIDDEN and self._is_starting():
                pause = PAUSE_SECONDS
            if pause is None or time.monotonic() + pause > deadline:
                return status, data
            time.sleep(pause)

    def _is_starting(self) -> bool:
        """Whether the API server says that it is not ready; one that says nothing is ready."""
        with suppress(KubernetesError):
            return self._answered(Request("GET", READY))[0] == errors.SERVER_FAULT
        return False

    def _answered(self, request: Request) -> tuple[int, bytes, float | None]:
        """Status and body of one answer; seconds until the request may be sent again, or None."""
        with (
            self._understood(),
            self._translated(),
            self._client.stream(
                request.method,
                request.path,
                params=request.query,
                headers=request.headers,
                json=request.body,
                timeout=self._timeout(),
            ) as answer,
        ):
            pause = pause_after(answer.status_code, answer.headers.get("Retry-After"))
            return answer.status_code, answers.body(answer.iter_bytes(), self._ends), pause

    def _timeout(self) -> httpx2.Timeout:
        import httpx2

        left = max(self._ends - time.monotonic(), SHORTEST_WAIT)
        return httpx2.Timeout(min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left))

    def _renewed(self) -> bool:
        """Read the credentials again; return whether they have changed."""
        fresh = access(self.context)
        if fresh.credentials == self.access.credentials or fresh.server != self.access.server:
            return False
        self.access = fresh
        for cached in ("_client", "tls"):
            self.__dict__.pop(cached, None)
        return True

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except StrangeAnswerError as strange:
            raise errors.not_kubernetes(self.about, self.access.server, str(strange)) from strange

    def _translated(self) -> AbstractContextManager[None]:
        return errors.translated(self.about, self.access.server)


def pause_after(status: int, retry_after: str | None) -> float | None:
    """Seconds until a request may be sent again; None if its answer is final."""
    asked = (retry_after or "").strip()
    if status == errors.TOO_MANY or (status >= errors.SERVER_FAULT and asked):
        # Kubernetes sends whole seconds; a proxy before it may send a date.
        seconds = float(asked) if asked.isascii() and asked.isdigit() else PAUSE_SECONDS
        return max(seconds, SHORTEST_PAUSE)
    return None


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine; a proxy must not be used for it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
