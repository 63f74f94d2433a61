"""An address at which a Ray head answers, and what must be sent along to be let in."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raykit import redaction


@dataclass(frozen=True)
class Endpoint:
    """Where the Jobs API of one Ray head is spoken to.

    url: base address; a path, as of a Kubernetes service proxy, is kept.
    headers: sent with every request (a token, a Kubernetes credential); never written anywhere.
    secrets: texts that must be replaced in everything that is written, such as the token.
    target: what a record says of it, such as `{"kind": "local"}`.
    repeated_headers: more of them, some names several times, such as Kubernetes' impersonation.
    proxy: the HTTP proxy on the way, None for what the environment says.
    gone: whether the head has ended for good, so that nobody waits for it; None where unknown.
    renew: reads the credentials again where the head no longer accepts them; the same place.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    target: Mapping[str, object] = field(default_factory=dict)
    tls: ssl.SSLContext | bool = True
    repeated_headers: tuple[tuple[str, str], ...] = ()
    proxy: str | None = field(default=None, repr=False)
    renew: Callable[[], Endpoint] | None = field(default=None, repr=False, compare=False)
    gone: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        redaction.learn(*self.secrets)
