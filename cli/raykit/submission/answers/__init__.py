"""Reads the answers of a head and trusts none of them: any server may sit at the address.

Sizes and times are bounded, redirects are not followed, and characters that no file can hold are
replaced. An answer that no Ray head gives becomes a JobsApiError (6).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from raykit.errors import JobsApiError
from raykit.redaction import redacted

SMALL_BYTES, MOST_BYTES = 1 << 20, 64 << 20
MOST_CONTAINERS = 2_000_000
"""The most lists and objects in one JSON answer; 10,000 detailed task rows have about 300,000."""
TRICKLE_SECONDS, SLOWEST = 10.0, 1_000
"""From when on an answer must have brought so many bytes a second."""
QUOTED = 200
"""The most characters of an answer in JSON that an error shows."""
ANSWER_SECONDS = 120.0
GATEWAY_ERRORS = (
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
RAY_REFUSAL = "authentication token"
"""Ray says `Missing authentication token` (401) or `Invalid authentication token` (403)."""

CHECK_ADDRESS = "check the address: it is the Ray dashboard's, such as http://HOST:8265"
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
LAST_ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.M)


class LostConnectionError(JobsApiError):
    """The connection broke or nothing answered; a retry may help."""


class BrokenConnectionError(LostConnectionError):
    """The connection was open and broke before the answer was complete."""


class NotRayError(LostConnectionError):
    """The server is no Ray head, such as an ingress whose backend is down."""


class UnauthorisedError(JobsApiError):
    """Ray, or a server in front of it, misses the credentials or does not accept them."""


class RefusedByKubernetesError(UnauthorisedError):
    """Kubernetes refuses requests to a head, as it also does while it is started again."""


class BusyHeadError(JobsApiError):
    """The head already serves as many requests to its state API as it allows."""


@dataclass(frozen=True)
class Answer:
    """A complete answer.

    url: the endpoint's. request: method and path. location: where a redirect leads.
    """

    url: str
    request: str
    status_code: int
    body: bytes
    location: str = ""

    @property
    def text(self) -> str:
        """The body as UTF-8; other bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def summary(self) -> str:
        """The status and the first words on one line; of a traceback, its last error.

        Long JSON is not quoted: it may hold variables of jobs, whose values nobody has learned yet.
        """
        text = self.text
        if text.lstrip()[:1] in ("[", "{") and (len(text) > QUOTED or "env_vars" in text):
            return f"HTTP {self.status_code}: JSON of {len(self.body):,} bytes"
        errors = LAST_ERROR.findall(text) if text.startswith("Traceback") else []
        return f"HTTP {self.status_code}: {one_line(errors[-1] if errors else text)}"

    def json(self) -> Any:
        """The JSON of the body. Errors: ValueError if it is not JSON, too deep or too large."""
        if self.body.count(b"[") + self.body.count(b"{") > MOST_CONTAINERS:
            raise ValueError("JSON of too many parts")
        try:
            data = json.loads(self.body.decode("utf-8"), parse_constant=_refuse)
            return _without_surrogates(data) if SURROGATE.search(self.body) else data
        except RecursionError:
            raise ValueError("JSON that is nested too deeply") from None


def read(response: httpx2.Response, url: str, most: int, seconds: float) -> Answer:
    """Read an open response to its end.

    Errors: NotRayError (6) if it has more than `most` bytes or is compressed, which raykit did not
    ask for; LostConnectionError (6) if it takes more than so many seconds, or only trickles.
    """
    request = f"{response.request.method} {one_line(response.request.url.path)}"
    pieces, size, began = [], 0, time.monotonic()
    for piece in uncompressed(response, url):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise not_ray(url, f"{request}: an answer of more than {most:,} bytes")
        passed = time.monotonic() - began
        if passed > seconds or (passed > TRICKLE_SECONDS and size < SLOWEST * passed):
            what = f"the answer of {url} does not end"
            raise LostConnectionError(
                what, evidence=[f"{request}: {size:,} bytes in {passed:.0f} s"]
            )
    location = one_line(response.headers.get("Location", ""))
    return Answer(url, request, response.status_code, b"".join(pieces), location)


def uncompressed(response: httpx2.Response, url: str) -> Iterator[bytes]:
    """The body's bytes as they arrive. Errors: NotRayError (6) if the body is compressed."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise not_ray(url, f"a body in the encoding {one_line(encoding)}, which was not asked for")
    return response.iter_raw()


def unusable(answer: Answer) -> JobsApiError | None:
    """The error for refused credentials, a gateway error or a redirect; None for other answers."""
    if answer.status_code in REFUSED:
        return _unauthorised(answer)
    if answer.status_code in GATEWAY_ERRORS:
        return LostConnectionError(
            f"nothing answers behind {answer.url}",
            evidence=[answer.summary],
            next="raykit status shows whether the head is up",
        )
    if 300 <= answer.status_code < 400:
        return NotRayError(
            f"{answer.url} redirects to another address, which raykit gives no token",
            evidence=[
                f"HTTP {answer.status_code} for {answer.request}, to {answer.location or '?'}"
            ],
            next="name the address of the head itself with --on",
        )
    return None


def refusal(answer: Answer) -> JobsApiError:
    """The error for an answer that refuses the request."""
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return BusyHeadError(
            f"{answer.url} has too many requests for logs, tasks and nodes open",
            evidence=[answer.summary, answer.request],
            next="start Ray with RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1, as raykit up does; without "
            "it, abandoned log streams (ray job logs, the dashboard) count as open",
        )
    if answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return JobsApiError(
            f"{answer.url} takes no request of this size",
            evidence=[answer.summary, answer.request],
            next="upload less (a .rayignore names what stays here), or raise the limit of the "
            "proxy before the head: client_max_body_size of nginx, the annotation "
            "nginx.ingress.kubernetes.io/proxy-body-size of its ingress",
        )
    return JobsApiError(
        f"{answer.url} refused the request",
        evidence=[answer.request, answer.summary],
        next=CHECK_ADDRESS,
    )


def not_ray(url: str, evidence: str) -> NotRayError:
    """The error for an answer that no Ray head gives."""
    return NotRayError(
        f"{url} answers, but not as a Ray head does",
        evidence=[one_line(evidence, 300)],
        next=CHECK_ADDRESS,
    )


def one_line(text: str, length: int = 200) -> str:
    """The text's beginning on one line, with control characters replaced by `?`."""
    # A secret that is cut below would not be known any more.
    words = " ".join(redacted(text[: 4 * length]).split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _unauthorised(answer: Answer) -> UnauthorisedError:
    status, from_ray = answer.status_code, RAY_REFUSAL in answer.text
    kind = UnauthorisedError
    if from_ray:
        missing = status == HTTPStatus.UNAUTHORIZED
        reason = "wants a token and got none" if missing else "does not accept the token"
        what, next_step = (
            f"the Ray head {reason}",
            "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token",
        )
    elif _is_kubernetes(answer):
        kind = RefusedByKubernetesError
        what = "Kubernetes does not allow requests to the Ray head"
        next_step = (
            "kubectl auth can-i get services/proxy; kubectl auth can-i create services/proxy"
        )
    else:
        what = f"{answer.url} asks for credentials of its own before it passes requests to Ray"
        next_step = (
            "send them: --header 'NAME: VALUE', or RAYKIT_HEADERS; "
            "Ray's own token comes from RAY_AUTH_TOKEN"
        )
    return kind(what, evidence=[answer.request, answer.summary], next=next_step)


def _is_kubernetes(answer: Answer) -> bool:
    return b'"kind":"Status"' in answer.body.replace(b" ", b"")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
