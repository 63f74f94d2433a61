"""Opens object stores with obstore: whose credentials, which certificates, how patient."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jobs.gsod.archive import DataProblem
from jobs.gsod.sources.address import BUCKETS, Where, is_loopback

CREDENTIALS = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    "gs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BEARER_TOKEN",
    ),
    "az": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_TOKEN",
        "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
    ),
}
"""Variables of a Ray node's environment, any of which says that it has credentials of its own."""

SKIP = {
    "s3": "AWS_SKIP_SIGNATURE",
    "gs": "GOOGLE_SKIP_SIGNATURE",
    "az": "AZURE_SKIP_SIGNATURE",
}
ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
}
CERTIFICATES = "SSL_CERT_FILE"
ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"
EMULATOR = "AZURE_STORAGE_USE_EMULATOR"

CONNECT_SECONDS, STALL_SECONDS = 10, 30
RETRIES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 8, 0.25, 15
RETRY_SECONDS = 120
"""Back-off for errors that may pass (429, 5xx, no connection): half a minute and more in all."""


def open_store(where: Where) -> Any:
    """The store of an address: with credentials if this Ray node's environment has some.

    Raises DataProblem if obstore is missing or refuses its configuration.
    """
    try:
        from obstore import store
    except ImportError as error:
        raise DataProblem(
            f"{where.address} cannot be read on this Ray node: obstore is not installed",
            "on this machine: pip install obstore",
            "on a cluster: raykit image build, or raykit submit --pip obstore …",
        ) from error
    makers = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    name, options = _bucket(where) if where.kind in BUCKETS else (where.address, {})
    options |= {"client_options": _client(where), "retry_config": _retries()}
    try:
        return makers.get(where.kind, store.HTTPStore)(name, **options)
    except Exception as error:
        first = str(error).strip().splitlines() or [repr(error)]
        raise DataProblem(f"{where.address} cannot be asked like this", first[0]) from error


def _bucket(where: Where) -> tuple[str, dict[str, Any]]:
    """A bucket's name, and the options of its store."""
    if where.kind == "az" and not (os.environ.get(ACCOUNT) or os.environ.get(EMULATOR)):
        raise DataProblem(f"{where.address} needs {ACCOUNT} in the Ray nodes' environment")
    parts = urlsplit(where.address)
    prefix = parts.path.strip("/") or None
    return parts.netloc, {"prefix": prefix, "skip_signature": not signs(where.kind)}


def signs(kind: str) -> bool:
    """Whether requests to a kind of bucket carry credentials.

    A public bucket takes requests without any. The machine's own (instance metadata) are looked for
    only if the variable SKIP says "false": outside of a cloud nobody answers for them.
    """
    if asked := os.environ.get(SKIP[kind], "").lower():
        return asked in ("false", "0")
    return bool(credentials(kind))


def credentials(kind: str) -> str | None:
    """The variable of this Ray node's environment that names credentials."""
    return next((name for name in CREDENTIALS[kind] if os.environ.get(name)), None)


def _client(where: Where) -> dict[str, Any]:
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        # The library counts the whole transfer as one request: only silence ends it.
        "read_timeout": timedelta(seconds=STALL_SECONDS),
        "timeout": timedelta(days=1),
    }
    emulated = where.kind == "az" and os.environ.get(EMULATOR)
    if where.kind == "http" or emulated or _endpoint_is_loopback(where.kind):
        options["allow_http"] = True
    if path := os.environ.get(CERTIFICATES):
        options["root_certificate"] = _certificates(Path(path))
    return options


def _certificates(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataProblem(f"{CERTIFICATES}={path} cannot be read", str(error)) from error
    if b"BEGIN CERTIFICATE" not in content:
        raise DataProblem(f"{CERTIFICATES}={path} holds no certificate")
    return content


def _endpoint_is_loopback(kind: str) -> bool:
    hosts = [
        urlsplit(os.environ[name]).hostname
        for name in ENDPOINTS.get(kind, ())
        if os.environ.get(name)
    ]
    return bool(hosts) and all(is_loopback(host or "") for host in hosts)


def _retries() -> dict[str, Any]:
    return {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {
            "init_backoff": timedelta(seconds=FIRST_PAUSE_SECONDS),
            "max_backoff": timedelta(seconds=LONGEST_PAUSE_SECONDS),
            "base": 2,
        },
    }
