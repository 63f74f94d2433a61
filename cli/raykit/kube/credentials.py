"""The credentials of a context's user: a token, a password, a certificate or a program."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from raykit import files, redaction
from raykit.errors import MissingError
from raykit.kube import contexts
from raykit.kube.tls import Certificate

TIMEOUT_SECONDS = 10.0
LINES_OF_STDERR = 5
Entry = dict[str, Any]


class Section(Protocol):
    """A user's entry in the kubeconfig. Its methods check the types of the values."""

    @property
    def entry(self) -> Entry: ...

    @property
    def title(self) -> str: ...

    def text(self, key: str) -> str | None: ...

    def wrong(self, key: str, problem: str) -> MissingError: ...


@dataclass(frozen=True)
class Credentials:
    """Credentials for the API server.

    authorization: value of the `Authorization` header. secrets: texts to redact in all output.
    """

    authorization: str | None = field(default=None, repr=False)
    certificate: Certificate | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def bearer(self) -> str | None:
        """The bearer token; None if the user has none."""
        kind, _, value = (self.authorization or "").partition(" ")
        return value if kind == "Bearer" else None


def of_user(user: Section, cluster: Entry, login_of_url: tuple[str, str] | None) -> Credentials:
    """The credentials of a user's entry.

    cluster: the cluster's entry, which some programs ask for. login_of_url: name and password in
    the server's URL.

    Errors: MissingError (4) if a file cannot be read, or if the program is absent, fails, takes
    over 10 s or gives no credential. The error never shows the program's arguments and output:
    they may contain the credential.
    """
    if user.entry.get("auth-provider"):
        raise user.wrong(
            "auth-provider", "is not supported: kubectl dropped it for programs (users[].user.exec)"
        )
    certificate = _certificate(user)
    token = _token(user)
    if token is None and user.entry.get("exec"):
        status = _Program(user).ask(cluster)
        token = _header_value(user, "exec", status.get("token"))
        certificate = _given_certificate(status) or certificate
    if token is not None:
        return _learned(Credentials(f"Bearer {token}", certificate, (token,)))
    login = _login(user) or login_of_url
    if login is None:
        return Credentials(None, certificate)
    pair = base64.b64encode(":".join(login).encode()).decode()
    return _learned(Credentials(f"Basic {pair}", certificate, (pair, login[1])))


def _learned(credentials: Credentials) -> Credentials:
    redaction.learn(*credentials.secrets)
    return credentials


def _token(user: Section) -> str | None:
    path = user.text("tokenFile")
    if path is None:
        return _header_value(user, "token", user.entry.get("token"))
    try:
        text = files.read_small(Path(path)).decode("ascii", "replace").strip()
    except (OSError, ValueError) as wrong:
        raise user.wrong("tokenFile", f"cannot be read: {wrong}") from wrong
    return _header_value(user, "tokenFile", text)


def _header_value(user: Section, key: str, value: object) -> str | None:
    """Check that an HTTP header can carry a token; the error does not show it."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise user.wrong(key, "holds no token: it has characters that no token has")
    return value


def _login(user: Section) -> tuple[str, str] | None:
    name, password = user.entry.get("username"), user.entry.get("password")
    if not name and not password:
        return None
    if not isinstance(name, str) or not isinstance(password, str):
        raise user.wrong("username", "and password must both be texts")
    return name, password


def _certificate(user: Section) -> Certificate | None:
    certificate = Certificate(
        path=user.text("client-certificate"),
        data=_data(user, "client-certificate-data"),
        key_path=user.text("client-key"),
        key_data=_data(user, "client-key-data"),
    )
    return None if certificate == Certificate() else certificate


def _data(user: Section, key: str) -> str | None:
    """A value in base64. YAML may fold it over several lines."""
    value = user.entry.get(key)
    if value is not None and not isinstance(value, str):
        raise user.wrong(key, "is not a text")
    return value or None


def _given_certificate(status: Entry) -> Certificate | None:
    if not status.get("clientCertificateData"):
        return None
    return Certificate(
        data=_encoded(status["clientCertificateData"]),
        key_data=_encoded(status.get("clientKeyData") or ""),
    )


@dataclass(frozen=True)
class _Program:
    """The program of `users[].user.exec`, which prints an ExecCredential."""

    user: Section

    def ask(self, cluster: Entry) -> Entry:
        """Run the program and return the `status` of the ExecCredential that it prints."""
        from raykit import processes

        program = self._entry()
        words = [program["command"], *self._texts(program, "args")]
        environment = {**os.environ, **self._environment(program, cluster)}
        try:
            done = processes.run(
                words,
                env=environment,
                timeout=TIMEOUT_SECONDS,
                error=MissingError,
                check=False,
                next=self._hint(program),
            )
        except MissingError as failed:
            if not isinstance(failed.__cause__, OSError):  # it was started
                late = f"did not end within {TIMEOUT_SECONDS:g} s"
                raise self._no_credential(program, late) from None
            # The evidence would show the command line.
            raise MissingError(failed.what, next=failed.next) from None
        except (OSError, ValueError) as wrong:
            raise self.user.wrong("exec", f"cannot be started: {wrong}") from None
        if done.returncode != 0:
            raise self._no_credential(program, "gave no credential", done.stderr)
        return self._status(program, done.stdout)

    def _entry(self) -> Entry:
        program = self.user.entry["exec"]
        command = program.get("command") if isinstance(program, dict) else None
        if not isinstance(command, str) or not command:
            raise self.user.wrong("exec", "names no command")
        return dict(program)

    def _texts(self, program: Entry, key: str) -> Sequence[str]:
        value = program.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.user.wrong(f"exec.{key}", "is not a list of texts")
        return value

    def _environment(self, program: Entry, cluster: Entry) -> dict[str, str]:
        about: Entry = {}
        if program.get("provideClusterInfo"):
            known = {key: cluster.get(key) for key in _CLUSTER_INFO}
            about = {key: value for key, value in known.items() if isinstance(value, str | bool)}
        info = {
            "kind": "ExecCredential",
            "apiVersion": program.get("apiVersion"),
            "spec": {"interactive": False, **({"cluster": about} if about else {})},
        }
        extra = program.get("env") or []
        try:
            variables = {str(item["name"]): str(item["value"]) for item in extra}
            return {**variables, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        except (TypeError, KeyError, ValueError, RecursionError):
            raise self.user.wrong("exec.env", "is not a list of names and values") from None

    def _hint(self, program: Entry) -> str:
        hint = program.get("installHint")
        command = Path(program["command"]).name
        return hint if isinstance(hint, str) and hint else f"install {command}"

    def _status(self, program: Entry, text: str) -> Entry:
        try:
            status = json.loads(text)["status"]
        except (ValueError, KeyError, TypeError, RecursionError):
            status = None
        if not isinstance(status, dict):
            raise self._no_credential(program, "printed no credential")
        texts = [status.get(key) for key in _STATUS_KEYS]
        if not any(texts[:2]) or not all(isinstance(text, str | None) for text in texts):
            raise self._no_credential(program, "printed no credential")
        return status

    def _no_credential(self, program: Entry, what: str, stderr: str = "") -> MissingError:
        return MissingError(
            f"{program['command']}, which the kubeconfig names, {what}",
            evidence=stderr.strip().splitlines()[-LINES_OF_STDERR:],
            next=contexts.login_by_program(program) or "log in again with your cloud's own command",
        )


_STATUS_KEYS = ("token", "clientCertificateData", "clientKeyData")
_CLUSTER_INFO = (
    *("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url"),
    "certificate-authority-data",
)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
