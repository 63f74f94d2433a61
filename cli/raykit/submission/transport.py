"""HTTP to a Ray head: the only module that sends it requests, and explains what goes wrong."""

from __future__ import annotations

import contextlib
import re
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
from raykit.errors import JobsApiError, MissingError, RaykitError, UsageError
from raykit.submission import answers
from raykit.submission.answers import (
    REFUSED,
    SMALL_BYTES,
    Answer,
    BrokenConnectionError,
    LostConnectionError,
    not_ray,
    one_line,
)

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
BUSY_SECONDS, SHORTEST_PAUSE = 15.0, 0.2
"""How long a request is sent again to an API server or ingress that turned it away, and the
shortest pause before that."""

LOOPBACKS = {"127.0.0.1", "localhost", "::1"}
RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)
BROKEN = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
OF_CERTIFICATES = (
    ("mismatch", "name the host for which the certificate was made: --on https://HOST"),
    ("has expired", "have the certificate renewed; is this machine's clock right?"),
    ("not yet valid", "is this machine's clock right?"),
)
"""What OpenSSL says of a certificate whose authority is known, and what mends it."""
TRUST = "give the authority that signed it: --ca FILE, or RAYKIT_CA"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?|")


class Transport:
    """Requests to one endpoint. Every method raises JobsApiError (6) with the reason.

    If the head rejects the credentials, they are read again once (`Endpoint.renew`); `endpoint`
    then has the new ones. Redirects are not followed, so that a token goes to one address only.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.renewing = threading.Lock()
        self.read_seconds, self.connect_seconds = READ_SECONDS, CONNECT_SECONDS
        self.answer_seconds = answers.ANSWER_SECONDS
        check_headers(endpoint)
        self.client = _client(endpoint)

    def limit_silence(self, seconds: float) -> None:
        """Wait at most so many seconds for an answer from now on: the run is ending."""
        self.read_seconds = self.connect_seconds = seconds

    def limit_answers(self, seconds: float) -> None:
        """Give an answer at most so many seconds from its first byte to its last, from now on."""
        self.answer_seconds = seconds

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
        content: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        most: int = SMALL_BYTES,
    ) -> Answer:
        """Send one request; return its answer, of any status except 3xx, 401, 403, 502 to 504.

        timeout: seconds of silence; None: 30. most: bytes that the answer may have.
        """

        def send() -> contextlib.AbstractContextManager[httpx2.Response]:
            return self.client.stream(
                method,
                path,
                params=params,
                content=content,
                headers=headers,
                timeout=self._timeout(timeout or self.read_seconds),
            )

        # An iterator of content can be sent only once.
        with self._opened(send, repeatable=not isinstance(content, Iterator)) as response:
            answer = answers.read(response, self.endpoint.url, most, self.answer_seconds)
        error = answers.unusable(answer)
        if error:
            raise error
        return answer

    def get(
        self, path: str, *, params: Mapping[str, str] | None = None, most: int = SMALL_BYTES
    ) -> Answer:
        """A GET; since it changes nothing on the head, it is repeated if its connection breaks."""
        for pause in RETRY_SECONDS:
            try:
                return self.request("GET", path, params=params, most=most)
            except BrokenConnectionError:
                time.sleep(pause)
        return self.request("GET", path, params=params, most=most)

    @contextlib.contextmanager
    def stream(
        self, path: str, *, params: Mapping[str, str], endless: bool = False
    ) -> Iterator[tuple[httpx2.Response, Iterator[bytes]]]:
        """A GET whose body is read as it arrives. endless: its silence has no time-out."""
        timeout = self._timeout(None if endless else self.read_seconds)
        with self._opened(
            lambda: self.client.stream("GET", path, params=params, timeout=timeout)
        ) as response:
            if response.status_code != httpx2.codes.OK:
                answer = answers.read(response, self.endpoint.url, SMALL_BYTES, self.answer_seconds)
                raise answers.unusable(answer) or self.refusal(answer)
            yield response, answers.uncompressed(response, self.endpoint.url)

    @contextlib.contextmanager
    def relay(
        self, method: str, target: str, headers: Mapping[str, str], content: Iterator[bytes] | None
    ) -> Iterator[httpx2.Response]:
        """Send a request on behalf of a browser; yield any answer, its body unread and undecoded.

        target: an absolute path with its query, below this endpoint's own path.
        """
        base = self.client.base_url
        url = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + target.encode("ascii"))
        timeout = self._timeout(None)

        def send() -> contextlib.AbstractContextManager[httpx2.Response]:
            merged = {**headers, **self.endpoint.headers}
            return self.client.stream(method, url, headers=merged, content=content, timeout=timeout)

        with self._opened(send, repeatable=content is None) as response:
            yield response

    def parsed(self, answer: Answer) -> Any:
        """The JSON of an answer. Errors: NotRayError (6) if it is not JSON."""
        try:
            return answer.json()
        except ValueError as error:
            evidence = f"{answer.request}: {answer.summary} ({type(error).__name__})"
            raise not_ray(self.endpoint.url, evidence) from error

    def refusal(self, answer: Answer) -> JobsApiError:
        """The error for an answer that refuses the request."""
        return answers.refusal(answer)

    def _timeout(self, read: float | None) -> httpx2.Timeout:
        return httpx2.Timeout(self.read_seconds, connect=self.connect_seconds, read=read)

    @contextlib.contextmanager
    def _opened(
        self,
        send: Callable[[], contextlib.AbstractContextManager[httpx2.Response]],
        repeatable: bool = True,
    ) -> Iterator[httpx2.Response]:
        """The open answer of a request; after 401 or 403 sent once more with new credentials."""
        with self._explained(), contextlib.ExitStack() as opened:
            used = self.endpoint
            response = opened.enter_context(send())
            if repeatable and response.status_code in REFUSED and self._renew(used):
                opened.close()
                response = opened.enter_context(send())
            deadline = time.monotonic() + min(BUSY_SECONDS, self.read_seconds)
            while repeatable and (pause := _pause(response)):
                if time.monotonic() + pause > deadline:
                    break
                opened.close()
                time.sleep(pause)
                response = opened.enter_context(send())
            yield response

    def _renew(self, used: Endpoint) -> bool:
        """Read the credentials again; return whether they differ from the used ones."""
        with self.renewing:
            if self.endpoint is used and used.renew is not None:
                fresh = self._read_again(used.renew)
                if dict(fresh.headers) == dict(used.headers):
                    return False
                self.endpoint = replace(used, headers=fresh.headers, secrets=fresh.secrets)
                check_headers(self.endpoint)
                self.client.headers.update(fresh.headers)
            return self.endpoint is not used

    def _read_again(self, renew: Callable[[], Endpoint]) -> Endpoint:
        """The endpoint with fresh credentials; if they cannot be read, the connection is lost."""
        try:
            return renew()
        except RaykitError as error:
            raise LostConnectionError(
                f"{self.endpoint.url} refuses the credentials, which cannot be read again",
                evidence=[error.what, *error.evidence],
                next=error.next,
            ) from error

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ProxyError as error:
            raise self._lost("the environment's proxy refuses the request", error) from error
        except BROKEN as error:
            what = f"no answer from {self.endpoint.url}"
            raise self._lost(what, error, BrokenConnectionError) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            proxy = _proxy(self.endpoint.url)
            if proxy is None or "SSL" in str(error):
                raise self._unanswered(error) from error
            raise LostConnectionError(
                f"the environment's proxy {proxy} does not answer",
                evidence=[
                    f"{type(error).__name__}: {error}",
                    f"the request was for {self.endpoint.url}",
                ],
                next="correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY",
            ) from error
        except (httpx2.RequestError, ssl.SSLError) as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> LostConnectionError:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            return self._lost(f"no answer from {self.endpoint.url}", error)
        advice = (advice for sign, advice in OF_CERTIFICATES if sign in str(error))
        what = f"the certificate of {self.endpoint.url} cannot be verified"
        return self._lost(what, error, next=next(advice, TRUST))

    def _lost(
        self,
        what: str,
        error: Exception,
        kind: type[LostConnectionError] = LostConnectionError,
        next: str = "check that the head runs and the address is right: raykit status",
    ) -> LostConnectionError:
        reason = one_line(str(error))
        name = type(error).__name__
        return kind(what, evidence=[f"{name}: {reason}" if reason else name], next=next)


def _pause(response: httpx2.Response) -> float | None:
    """Seconds until a request that was turned away may be sent again; None for any other answer.

    Ray's own 429 names no time: it lasts until somebody closes what is open on the head.
    """
    asked = response.headers.get("Retry-After", "")
    if response.status_code != httpx2.codes.TOO_MANY_REQUESTS or not re.fullmatch("[0-9]+", asked):
        return None
    return max(float(asked), SHORTEST_PAUSE)


def check_headers(endpoint: Endpoint) -> None:
    """Check that the headers can be sent.

    Errors: UsageError (2) if one cannot; its value is not shown.
    """
    for name, value in _headers(endpoint):
        if not HEADER_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a valid name of an HTTP header")
        if not HEADER_VALUE.fullmatch(value):
            raise UsageError(
                f"the value of the header {name} has characters that HTTP does not allow",
                evidence=["such as a line break within a token, or a letter outside ASCII"],
                next="write the token into its file or variable again, without line breaks",
            )


def _headers(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [*endpoint.headers.items(), *endpoint.repeated_headers]


def _client(endpoint: Endpoint) -> httpx2.Client:
    """The HTTP client of one endpoint.

    Errors: UsageError (2) if the address or the proxy's is not valid, MissingError (4) if the
    environment names certificates that cannot be read.
    """
    try:
        address = urlsplit(endpoint.url)
        if not (httpx2.URL(endpoint.url).host and address.hostname and address.port != 0):
            raise ValueError("it names no host")
    except (ValueError, httpx2.InvalidURL) as error:
        raise UsageError(
            f"not an address: {one_line(endpoint.url)}",
            evidence=[one_line(str(error))],
            next="name a Ray dashboard's address, such as --on http://HOST:8265",
        ) from error
    is_local = address.hostname in LOOPBACKS
    try:
        return httpx2.Client(
            base_url=endpoint.url,
            # Uncompressed answers cannot grow while they are unpacked.
            headers=[("Accept-Encoding", "identity"), *_headers(endpoint)],
            proxy=endpoint.proxy,
            # Plain HTTP needs no certificates, and loading them takes longer than a request.
            verify=endpoint.tls if address.scheme != "http" or not is_local else False,
            # No proxy can reach this machine's loopback address for us.
            trust_env=not is_local,
        )
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise UsageError(
            "the environment's proxy cannot be used",
            evidence=[one_line(str(error))],
            next="correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY",
        ) from error
    except OSError as error:
        raise MissingError(
            "the certificates to trust cannot be read",
            evidence=[one_line(str(error))],
            next="correct SSL_CERT_FILE and SSL_CERT_DIR, or unset them",
        ) from error


def _proxy(url: str) -> str | None:
    """The environment's proxy for an address, without its credentials; None without one."""
    address = urlsplit(url)
    host = address.hostname or ""
    if host in LOOPBACKS or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = urlsplit(proxies.get(address.scheme) or proxies.get("all") or "")
    return f"{proxy.scheme}://{proxy.hostname}:{proxy.port}" if proxy.hostname else None
