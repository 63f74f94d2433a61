"""TLS to an API server: its certificate authority, its name, and our client certificate."""

from __future__ import annotations

import base64
import binascii
import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Certificate:
    """A client certificate and its key: paths of PEM files, or PEM in base64."""

    path: str | None = None
    data: str | None = None
    key_path: str | None = None
    key_data: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class TlsSettings:
    """The TLS settings of a cluster's entry.

    authority: a PEM file of the certificates to trust; authority_data: the same in base64; neither:
    the system's certificates. insecure: check nothing. server_name: the name to request and check
    instead of the URL's host.
    """

    authority: str | None = None
    authority_data: str | None = None
    insecure: bool = False
    server_name: str | None = None
    certificate: Certificate | None = None


class _NamedContext(ssl.SSLContext):
    """A context that requests and checks one server name, whatever the URL is."""

    server_name: str | None = None

    def wrap_socket(self, *words: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*words, **self._named(options))

    def wrap_bio(self, *words: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*words, **self._named(options))

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "server_hostname": self.server_name} if self.server_name else options


def ssl_context(settings: TlsSettings) -> ssl.SSLContext:
    """The SSL context for these settings.

    Errors: OSError, ssl.SSLError or ValueError if a file or its content is wrong.
    """
    context = _trusting(settings)
    if settings.certificate is not None:
        with _files(settings.certificate) as (certificate, key):
            # Without this argument OpenSSL would ask for a password on the terminal.
            context.load_cert_chain(certificate, key, password="")
    return context


def _trusting(settings: TlsSettings) -> ssl.SSLContext:
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = settings.server_name
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.authority_data:
        context.load_verify_locations(cadata=_pem(settings.authority_data).decode("ascii"))
    elif settings.authority:
        context.load_verify_locations(cafile=settings.authority)
    else:
        context.load_default_certs()
    return context


@contextlib.contextmanager
def _files(certificate: Certificate) -> Iterator[tuple[str, str | None]]:
    """Certificate and key as files, as Python's ssl needs them; temporary files are deleted."""
    with tempfile.TemporaryDirectory(prefix="raykit-tls-") as folder:

        def file(name: str, path: str | None, data: str | None) -> str | None:
            if not data:
                return path
            temporary = Path(folder) / name
            temporary.touch(mode=0o600)
            temporary.write_bytes(_pem(data))
            return str(temporary)

        chain = file("certificate.pem", certificate.path, certificate.data)
        key = file("key.pem", certificate.key_path, certificate.key_data)
        if chain is None:
            raise ValueError("client-key is given without client-certificate")
        yield chain, key


def _pem(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=False)
    except binascii.Error as wrong:
        raise ValueError(f"certificate data is not base64: {wrong}") from wrong
