"""The one seam to a Ray head's HTTP API: addresses, tokens, proxies, TLS, and what they answer."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, RaykitError

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
LOOPBACKS = {"127.0.0.1", "localhost", "::1"}
AGAIN_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)
REFUSED = (401, 403)
BROKEN = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


class LostConnectionError(JobsApiError):
    """The connection broke or nothing answered: asking again may help."""


class BrokenConnectionError(LostConnectionError):
    """Somebody was there, and the connection broke before the answer was whole."""


class BusyHeadError(JobsApiError):
    """The head has as many questions after its state open as it allows."""


class Transport:
    """Requests to one endpoint. Every method raises JobsApiError (6) with the reason.

    A token that the head no longer accepts is read again once (`Endpoint.renew`); `endpoint`
    then has the new one, and among its secrets both.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.renewing = threading.Lock()
        self.read_seconds = READ_SECONDS
        address = urlsplit(endpoint.url)
        here = address.hostname in LOOPBACKS
        self.client = httpx2.Client(
            base_url=endpoint.url,
            headers=[*endpoint.headers.items(), *endpoint.repeated_headers],
            proxy=endpoint.proxy,
            # Reading the certificates takes longer than a request: not where none is looked at.
            verify=endpoint.tls if address.scheme != "http" or not here else False,
            # A proxy of the environment never gets a request to this machine.
            trust_env=not here,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        )

    def hurry(self, seconds: float) -> None:
        """From now on no answer may take longer than this: the run is being ended."""
        self.read_seconds = seconds
        self.client.timeout = httpx2.Timeout(seconds)

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | Iterator[bytes] | None = None,
        timeout: float | None = None,
    ) -> httpx2.Response:
        """One request; an answer of any status but 401, 403 and gateway errors is returned."""

        def ask() -> httpx2.Response:
            with self._explained():
                return self.client.request(
                    method,
                    path,
                    params=params,
                    json=json,
                    content=content,
                    timeout=httpx2.USE_CLIENT_DEFAULT if timeout is None else timeout,
                )

        used = self.endpoint
        response = ask()
        # An iterator of content is spent: whoever sends one has asked for something before.
        if response.status_code in REFUSED and self._renew(used):
            response = ask()
        self._let_in(response)
        return response

    def get(self, path: str, *, params: Mapping[str, str] | None = None) -> httpx2.Response:
        """A GET that is asked again where its connection broke: asking twice changes nothing."""
        for pause in AGAIN_SECONDS:
            try:
                return self.request("GET", path, params=params)
            except BrokenConnectionError:
                time.sleep(pause)
        return self.request("GET", path, params=params)

    def get_json(self, path: str, *, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of a GET that must answer 200."""
        response = self.get(path, params=params)
        if response.status_code != httpx2.codes.OK:
            raise self.refusal(response)
        return self.parsed(response)

    @contextlib.contextmanager
    def stream(
        self, path: str, *, params: Mapping[str, str], endless: bool = False
    ) -> Iterator[httpx2.Response]:
        """A GET whose body is read while it comes; an `endless` one may be silent for ever."""
        read = None if endless else self.read_seconds
        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, read=read)

        def ask() -> contextlib.AbstractContextManager[httpx2.Response]:
            return self.client.stream("GET", path, params=params, timeout=timeout)

        with self._explained(), contextlib.ExitStack() as opened:
            used = self.endpoint
            response = opened.enter_context(ask())
            if response.status_code in REFUSED and self._renew(used):
                opened.close()
                response = opened.enter_context(ask())
            if response.status_code != httpx2.codes.OK:
                response.read()
                self._let_in(response)
                raise self.refusal(response)
            yield response

    @contextlib.contextmanager
    def relay(
        self, method: str, target: str, headers: Mapping[str, str], content: Iterator[bytes] | None
    ) -> Iterator[httpx2.Response]:
        """One request on behalf of somebody else: any answer, its body unread and undecoded.

        target: an absolute path with its query, below this endpoint's own path.
        """
        base = self.client.base_url
        own = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + target.encode("ascii"))
        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, read=None)

        def ask() -> contextlib.AbstractContextManager[httpx2.Response]:
            return self.client.stream(
                method,
                own,
                headers={**headers, **self.endpoint.headers},
                content=content,
                timeout=timeout,
            )

        with self._explained(), contextlib.ExitStack() as opened:
            used = self.endpoint
            response = opened.enter_context(ask())
            if response.status_code in REFUSED and content is None and self._renew(used):
                opened.close()
                response = opened.enter_context(ask())
            yield response

    def parsed(self, response: httpx2.Response) -> Any:
        """The JSON of an answer; an answer that is none says that this is not Ray."""
        try:
            return response.json()
        except ValueError as error:
            answer = f"HTTP {response.status_code}: {_first_words(response)}"
            raise not_ray(self.endpoint.url, answer) from error

    def refusal(self, response: httpx2.Response) -> JobsApiError:
        """The error for an answer that refuses what was asked."""
        if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            return BusyHeadError(
                f"{self.endpoint.url} has too many questions after logs, tasks and nodes open",
                evidence=[f"HTTP 429 for {response.request.url.path}: {_first_words(response)}"],
                next="start Ray with RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1, as raykit up does: "
                "log streams that were left (ray job logs, the dashboard) count until then",
            )
        return JobsApiError(
            f"{self.endpoint.url} refused the request",
            evidence=[
                f"{response.request.method} {response.request.url.path}",
                f"HTTP {response.status_code}: {_first_words(response)}",
            ],
            next="check that the address is a Ray dashboard's, such as http://HOST:8265",
        )

    def _renew(self, used: Endpoint) -> bool:
        """Read the credentials again; whether they are others than those that were used."""
        with self.renewing:
            if self.endpoint is used and used.renew is not None:
                fresh = self._read_again(used.renew)
                if dict(fresh.headers) == dict(used.headers):
                    return False
                secrets = tuple(dict.fromkeys((*used.secrets, *fresh.secrets)))
                self.endpoint = replace(used, headers=fresh.headers, secrets=secrets)
                self.client.headers.update(fresh.headers)
            return self.endpoint is not used

    def _read_again(self, renew: Callable[[], Endpoint]) -> Endpoint:
        """The endpoint anew; where it cannot be had just now, the connection counts as lost."""
        try:
            return renew()
        except RaykitError as error:
            raise LostConnectionError(
                f"{self.endpoint.url} refuses the credentials, which cannot be read again",
                evidence=[error.what, *error.evidence],
                next=error.next,
            ) from error

    def _let_in(self, response: httpx2.Response) -> None:
        code = response.status_code
        if code in (401, 403):
            raise JobsApiError(
                "the Ray head wants a token and got none"
                if code == httpx2.codes.UNAUTHORIZED
                else "the Ray head does not accept the token",
                evidence=[f"HTTP {code} from {self.endpoint.url}: {_first_words(response)}"],
                next="set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token",
            )
        if code in (502, 503, 504):
            raise LostConnectionError(
                f"nothing answers behind {self.endpoint.url}",
                evidence=[f"HTTP {code}: {_first_words(response)}"],
                next="raykit status shows whether the head is up",
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ProxyError as error:
            raise self._lost("the environment's proxy does not let us through", error) from error
        except BROKEN as error:
            what = f"no answer from {self.endpoint.url}"
            raise self._lost(what, error, BrokenConnectionError) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            proxy = _proxy(self.endpoint.url)
            if proxy is None or "SSL" in str(error):
                raise self._unanswered(error) from error
            raise LostConnectionError(
                f"the environment's proxy {proxy} does not answer",
                evidence=[f"{type(error).__name__}: {error}", f"asked for {self.endpoint.url}"],
                next="mend HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY",
            ) from error
        except (httpx2.TransportError, ssl.SSLError) as error:
            raise self._unanswered(error) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise RaykitError(f"not an address: {self.endpoint.url}") from error

    def _unanswered(self, error: Exception) -> LostConnectionError:
        what = (
            f"the certificate of {self.endpoint.url} cannot be verified"
            if "CERTIFICATE_VERIFY_FAILED" in str(error)
            else f"no answer from {self.endpoint.url}"
        )
        return self._lost(what, error)

    def _lost(
        self, what: str, error: Exception, kind: type[LostConnectionError] = LostConnectionError
    ) -> LostConnectionError:
        return kind(
            what,
            evidence=[f"{type(error).__name__}: {error}" if str(error) else type(error).__name__],
            next="check that the head runs and the address is right: raykit status",
        )


def _proxy(url: str) -> str | None:
    """The proxy that the environment puts before an address, without its credentials."""
    address = urlsplit(url)
    host = address.hostname or ""
    if host in LOOPBACKS or proxy_bypass(host):
        return None
    found = getproxies()
    proxy = urlsplit(found.get(address.scheme) or found.get("all") or "")
    return f"{proxy.scheme}://{proxy.hostname}:{proxy.port}" if proxy.hostname else None


def not_ray(url: str, answer: str) -> JobsApiError:
    """The error for an answer that no Ray head gives."""
    return JobsApiError(
        f"{url} answers, but not as a Ray head does",
        evidence=[answer[:300]],
        next="check the address: it is the Ray dashboard's, such as http://HOST:8265",
    )


def _first_words(response: httpx2.Response) -> str:
    text = " ".join(response.text.split())
    return text[:200] + ("…" if len(text) > 200 else "")
