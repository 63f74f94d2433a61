"""What a head answers, read with care: whoever sits at the address may answer anything.

Sizes and times are bounded, redirects are not followed, and text that no screen or file can hold
is replaced. What is no answer of a Ray head becomes a JobsApiError (6).
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from raykit.errors import JobsApiError

SMALL_BYTES, MOST_BYTES = 1 << 20, 64 << 20
MOST_CONTAINERS = 2_000_000
"""Lists and objects in one JSON answer: 10,000 detailed task rows have about 300,000."""
ANSWER_SECONDS = 120.0
LAST_MOMENT = 253_402_300_799_000.0
"""The end of the year 9999 in milliseconds, the last that a calendar can show."""

Row = Mapping[str, Any]
Field = Callable[[Row, str], Any]

NOBODY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
RAYS_REFUSAL = "authentication token"
"""Ray says `Missing authentication token` (401) or `Invalid authentication token` (403)."""

CHECK_ADDRESS = "check the address: it is the Ray dashboard's, such as http://HOST:8265"
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
LAST_ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.M)


class LostConnectionError(JobsApiError):
    """The connection broke or nothing answered: asking again may help."""


class BrokenConnectionError(LostConnectionError):
    """Somebody was there, and the connection broke before the answer was whole."""


class NotRayError(LostConnectionError):
    """Something answers that is no Ray head, such as an ingress whose backend is away."""


class UnauthorisedError(JobsApiError):
    """The credentials are missing or not accepted, by Ray or by what stands before it."""


class BusyHeadError(JobsApiError):
    """The head has as many requests to its state API open as it allows."""


@dataclass(frozen=True)
class Answer:
    """One whole answer. url: the endpoint's; asked: method and path; location: of a redirect."""

    url: str
    asked: str
    status_code: int
    body: bytes
    location: str = ""

    @property
    def text(self) -> str:
        """The body as UTF-8; other bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def summary(self) -> str:
        """Status and first words on one line; of a traceback its last error."""
        text = self.text
        errors = LAST_ERROR.findall(text) if text.startswith("Traceback") else []
        return f"HTTP {self.status_code}: {one_line(errors[-1] if errors else text)}"

    def json(self) -> Any:
        """The JSON of the body. Errors: ValueError where it is none, too deep, or too large."""
        if self.body.count(b"[") + self.body.count(b"{") > MOST_CONTAINERS:
            raise ValueError("JSON of too many parts")
        try:
            data = json.loads(self.body.decode("utf-8"), parse_constant=_refuse)
            return _without_surrogates(data) if SURROGATE.search(self.body) else data
        except RecursionError:
            raise ValueError("JSON that is nested too deeply") from None


def read(response: httpx2.Response, url: str, most: int = MOST_BYTES) -> Answer:
    """The whole answer of an open response.

    Errors: NotRayError (6) where it is larger than `most` bytes or compressed, which was not asked
    for; LostConnectionError (6) where it takes more than 120 s.
    """
    asked = f"{response.request.method} {one_line(response.request.url.path)}"
    pieces, size, deadline = [], 0, time.monotonic() + ANSWER_SECONDS
    for piece in plain_bytes(response, url):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise not_ray(url, f"{asked}: an answer of more than {most:,} bytes")
        if time.monotonic() > deadline:
            what = f"the answer of {url} does not end"
            raise LostConnectionError(
                what, evidence=[f"{asked}: {size:,} bytes in {ANSWER_SECONDS:g} s"]
            )
    location = one_line(response.headers.get("Location", ""))
    return Answer(url, asked, response.status_code, b"".join(pieces), location)


def plain_bytes(response: httpx2.Response, url: str) -> Iterator[bytes]:
    """The body as it comes. Errors: NotRayError (6) where it is compressed."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise not_ray(url, f"a body in the encoding {one_line(encoding)}, which was not asked for")
    return response.iter_raw()


def turned_away(answer: Answer) -> JobsApiError | None:
    """The error for an answer that no request should get; None where the answer may be Ray's."""
    if answer.status_code in REFUSED:
        return _unauthorised(answer)
    if answer.status_code in NOBODY:
        return LostConnectionError(
            f"nothing answers behind {answer.url}",
            evidence=[answer.summary],
            next="raykit status shows whether the head is up",
        )
    if 300 <= answer.status_code < 400:
        return NotRayError(
            f"{answer.url} sends its callers elsewhere, where raykit takes no token",
            evidence=[f"HTTP {answer.status_code} for {answer.asked}, to {answer.location or '?'}"],
            next="name the address of the head itself with --on",
        )
    return None


def refusal(answer: Answer) -> JobsApiError:
    """The error for an answer that refuses what was asked."""
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return BusyHeadError(
            f"{answer.url} has too many requests for logs, tasks and nodes open",
            evidence=[answer.summary, answer.asked],
            next="start Ray with RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1, as raykit up does: "
            "log streams that were left (ray job logs, the dashboard) count until then",
        )
    return JobsApiError(
        f"{answer.url} refused the request",
        evidence=[answer.asked, answer.summary],
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
    """The text's beginning on one line, without what could steer a terminal."""
    words = " ".join(text[: 4 * length].split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


# Each check takes an object of an answer and a field's name, and returns the field's value.
# Errors: ValueError where it is of another kind.


def as_object(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{type(value).__name__} in place of an object")


def as_list(value: object) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"{type(value).__name__} in place of a list")


def text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{name} is no text")


def needed_text(row: Row, name: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} is no text")


def flag(row: Row, name: str) -> bool | None:
    value = row.get(name)
    if isinstance(value, bool | None):
        return value
    raise ValueError(f"{name} is neither true nor false")


def whole(row: Row, name: str) -> int | None:
    value = row.get(name)
    if value is None or (isinstance(value, int) and _is_number(value)):
        return value
    raise ValueError(f"{name} is no whole number")


def moment(row: Row, name: str) -> float | None:
    """Milliseconds since 1970."""
    value = row.get(name)
    if value is None or (_is_number(value) and 0 <= value <= LAST_MOMENT):
        return value
    raise ValueError(f"{name} is no time")


def seconds(row: Row, name: str) -> float | None:
    milliseconds = moment(row, name)
    return milliseconds / 1000 if milliseconds else None


def texts(row: Row, name: str) -> Mapping[str, str] | None:
    value = row.get(name)
    if value is None or all(isinstance(item, str) for item in as_object(value).values()):
        return value
    raise ValueError(f"{name} holds more than texts")


def amounts(row: Row, name: str) -> Mapping[str, float] | None:
    value = row.get(name)
    if value is None or all(_is_number(amount) for amount in as_object(value).values()):
        return value
    raise ValueError(f"{name} holds more than amounts")


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _unauthorised(answer: Answer) -> UnauthorisedError:
    status, rays_own = answer.status_code, RAYS_REFUSAL in answer.text
    if rays_own:
        missing = status == HTTPStatus.UNAUTHORIZED
        reason = "wants a token and got none" if missing else "does not accept the token"
        what, next_step = (
            f"the Ray head {reason}",
            "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token",
        )
    elif _is_kubernetes(answer):
        what = "Kubernetes does not let us through to the Ray head"
        next_step = (
            "kubectl auth can-i get services/proxy; kubectl auth can-i create services/proxy"
        )
    else:
        what = f"{answer.url} lets nobody through to a Ray head without its own credentials"
        next_step = (
            "send what it asks for: --header 'NAME: VALUE', or RAYKIT_HEADERS; "
            "a Ray token comes from RAY_AUTH_TOKEN"
        )
    return UnauthorisedError(what, evidence=[answer.asked, answer.summary], next=next_step)


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
