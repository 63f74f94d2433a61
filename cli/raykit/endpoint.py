"""The address of a Ray head, with the headers and TLS settings that a request needs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raykit import redaction


@dataclass(frozen=True)
class Ended:
    """Why a head will not answer again, as the place itself says: this machine, or Kubernetes.

    deleted: the whole cluster was taken away, and nobody knows how the job ended. Else the head
    alone ended, and every job that ran on it counts as failed, as it does for KubeRay.
    """

    what: str
    evidence: tuple[str, ...] = ()
    next: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Endpoint:
    """How to reach the Jobs API of one Ray head.

    url: base address; it may have a path, such as that of a Kubernetes service proxy.
    headers: sent with every request (a token, a Kubernetes credential); never written anywhere.
    secrets: texts that are redacted in all output, such as the token.
    target: how a run record names the head, such as `{"kind": "local"}`.
    tls: an SSL context for the server; True for httpx's default checks.
    repeated_headers: further headers whose names may repeat, such as Kubernetes impersonation.
    proxy: URL of an HTTP proxy; None: use the environment's settings.
    renew: returns an endpoint of the same head with fresh credentials; None: they do not expire.
    ended: asks this machine or Kubernetes whether the head has ended for good; it returns None
    while the head may come back, and may raise RaykitError where that cannot be known.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    target: Mapping[str, object] = field(default_factory=dict)
    tls: ssl.SSLContext | bool = True
    repeated_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)
    renew: Callable[[], Endpoint] | None = field(default=None, repr=False, compare=False)
    ended: Callable[[], Ended | None] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        redaction.learn(*self.secrets)
