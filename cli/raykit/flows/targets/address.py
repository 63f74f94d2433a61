"""A Ray head at an address: its token, the headers of a proxy before it, and its certificates.

The token comes from RAY_AUTH_TOKEN, else from a file. Headers that an ingress asks for come from
`--header` and RAYKIT_HEADERS, the authority of its certificate from `--ca` and RAYKIT_CA.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from raykit import files
from raykit.endpoint import Endpoint
from raykit.errors import MissingError, UsageError
from raykit.progress import Progress
from raykit.submission.answers import UnauthorisedError
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport, check_headers
from raykit.submission.variables import reason

TOKEN_FILE = "~/.ray/auth_token"
SECRET_HEADER = re.compile(r"auth|cookie|token|key|secret|pass|cred|session|signature|jwt", re.I)
MODE_SECONDS = 10.0
"""How long the few bytes may take by which a head says whether it asks for a token."""
AUTHORIZATION, BEHIND_A_PROXY = "Authorization", "X-Ray-Authorization"


@dataclass(frozen=True)
class Address:
    """A Ray head at an address.

    headers: sent with every request. ca: a file of certificates; TLS then trusts no others.
    """

    url: str
    reason: str
    environ: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: Path | None = None
    on_this_machine: bool = False
    has_our_jobs: bool = False
    ends_with_job: bool = False

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        bare = Endpoint(
            self.url,
            headers=self.headers,
            secrets=secrets_of(self.headers),
            target={"kind": "url", "url": self.url},
            tls=trust(self.ca) if self.ca else True,
        )
        with progress.step("reach", f"Ray head at {self.url}"), Transport(bare) as transport:
            transport.limit_answers(MODE_SECONDS)
            needs_token = _needs_token(JobsApi(transport))
        # The token is sent only if the head, or an ingress before it, asks for one.
        token = find_token(self.environ) if needs_token else None
        if token is None:
            yield bare
            return

        def renew() -> Endpoint:
            return authorised(bare, find_token(self.environ) or token)

        endpoint = authorised(bare, token)
        if BEHIND_A_PROXY in endpoint.headers:
            _check_second_header(endpoint)
        yield replace(endpoint, renew=renew)

    def observe(self) -> dict[str, Any]:
        return {}


def of_url(
    word: str, source: str, environ: Mapping[str, str], words: Sequence[str], ca: Path | None
) -> Address:
    """The head at an address.

    word: the address as the user wrote it; a user and password in it become a header, and are
    neither shown nor stored. source: where it comes from, `--on` or RAYKIT_ON. words: headers as
    `--header` takes them. ca: a file of certificates.

    Errors: UsageError (2) for an invalid address or header, MissingError (4) for a file that cannot
    be read.
    """
    try:
        parts = urlsplit(word)
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError as error:
        raise UsageError(
            f"{source}: not an address", evidence=[str(error)], next="--on http://HOST:8265"
        ) from error
    if ca is not None and parts.scheme != "https":
        raise UsageError("--ca would do nothing: the address is not https", next="leave --ca out")
    headers = parse_headers(environ.get("RAYKIT_HEADERS", "").splitlines(), "RAYKIT_HEADERS")
    if username or password:
        pair = base64.b64encode(f"{username}:{password}".encode("utf-8", "replace")).decode()
        headers = merged(headers, {AUTHORIZATION: f"Basic {pair}"})
    headers = merged(headers, parse_headers(words, "--header"))
    if ca is None and parts.scheme == "https" and environ.get("RAYKIT_CA"):
        ca = Path(environ["RAYKIT_CA"])
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/", "", ""))
    return Address(url, f"running on {url} ({source})", environ, headers, ca)


def parse_headers(words: Sequence[str], source: str, *, in_file: bool = False) -> dict[str, str]:
    """Headers from lines `NAME: VALUE`; as in curl, a line `@FILE` means the lines of a file.

    in_file: the lines are those of a file, where `@FILE` has no meaning.

    Errors: UsageError (2) if a line is no header, MissingError (4) if a file cannot be read.
    """
    headers: dict[str, str] = {}
    for word in words:
        if word.startswith("@") and not in_file:
            lines = _lines(Path(word[1:]))
            headers = merged(headers, parse_headers(lines, f"{source} {word}", in_file=True))
            continue
        name, colon, value = word.partition(":")
        if not word.strip():
            continue
        if not colon:
            raise UsageError(
                f"{source}: a line is no header", next=f"{source.split()[0]} 'NAME: VALUE'"
            )
        headers = merged(headers, {name.strip(): value.strip()})
    check_headers(Endpoint("", headers=headers))
    return headers


def merged(headers: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """All headers; if both have the same name, in any case, the second value counts."""
    replaced = {name.lower() for name in others}
    kept = {name: value for name, value in headers.items() if name.lower() not in replaced}
    return {**kept, **others}


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The parts of header values that must never be shown: those that are credentials."""
    secrets: list[str] = []
    for name, value in headers.items():
        if not SECRET_HEADER.search(name):
            continue
        words = value.split(" ")
        scheme, credential = words if len(words) == 2 else ("", value)
        secrets.append(credential)
        secrets += [part.partition("=")[2] for part in value.split(";") if "cookie" in name.lower()]
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                secrets.append(base64.b64decode(credential).decode().partition(":")[2])
    return tuple(dict.fromkeys(secret for secret in secrets if secret))


def trust(ca: Path) -> ssl.SSLContext:
    """An SSL context that trusts the certificates of one file and no others.

    Errors: MissingError (4) if the file holds none.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        # The default of Python 3.13: a file may hold an intermediate authority alone.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{ca} holds no certificates to trust",
            evidence=[str(error)],
            next="--ca takes a file of certificates in PEM form (BEGIN CERTIFICATE)",
        ) from error


def authorised(endpoint: Endpoint, token: str) -> Endpoint:
    """The endpoint with Ray's token, in Ray's second header if the first is taken."""
    taken = any(name.lower() == AUTHORIZATION.lower() for name in endpoint.headers)
    name = BEHIND_A_PROXY if taken else AUTHORIZATION
    return replace(
        endpoint,
        headers={**endpoint.headers, name: f"Bearer {token}"},
        secrets=(*endpoint.secrets, token),
    )


def find_token(environ: Mapping[str, str]) -> str | None:
    """The token, in Ray's own order: RAY_AUTH_TOKEN, the file that RAY_AUTH_TOKEN_PATH names,
    ~/.ray/auth_token; None without any.

    Errors: MissingError (4) if the file is not text, or too long.
    """
    if environ.get("RAY_AUTH_TOKEN"):
        return environ["RAY_AUTH_TOKEN"].strip()
    # `Path.home` fails for a user without a home, as in some containers.
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser(TOKEN_FILE))  # noqa: PTH111
    try:
        return files.read_small(path).decode("utf-8").strip() or None
    except OSError:
        return None
    except ValueError as error:
        raise MissingError(
            f"the token file {path} holds no token",
            evidence=[reason(error)],
            next="write the cluster's token into it",
        ) from error


def _needs_token(api: JobsApi) -> bool:
    """Whether the head, or an ingress before it, asks for a token."""
    try:
        return api.authentication_mode() != "disabled"
    except UnauthorisedError:
        return True


def _check_second_header(endpoint: Endpoint) -> None:
    """Check that Ray reads its token from its second header.

    Errors: UnauthorisedError (6) if Ray refuses it, with what an ingress must do.
    """
    try:
        with Transport(endpoint) as transport:
            JobsApi(transport).version()
    except UnauthorisedError as refused:
        raise UnauthorisedError(
            refused.what,
            evidence=[
                *refused.evidence,
                f"Ray reads {AUTHORIZATION} first, and {BEHIND_A_PROXY} only without it",
            ],
            next=f"let the ingress take its own {AUTHORIZATION} off before it asks Ray (nginx: "
            f'proxy_set_header {AUTHORIZATION} "";), or correct the token: RAY_AUTH_TOKEN',
        ) from refused


def _lines(path: Path) -> list[str]:
    try:
        return files.read_small(path).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise MissingError(
            f"the headers in {path} cannot be read", evidence=[reason(error)], next="--header @FILE"
        ) from error
