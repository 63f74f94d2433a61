"""Read one context of the kubeconfig for a connection. Every key is honoured or refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from raykit.errors import MissingError
from raykit.kube import contexts, credentials, kubeconfig
from raykit.kube.contexts import Context
from raykit.kube.credentials import Credentials
from raykit.kube.errors import NoContextError
from raykit.kube.kubeconfig import Entry, Kubeconfig
from raykit.kube.tls import TlsSettings

PROXY_SCHEMES = ("http", "https")
GET_A_CONTEXT = "raykit kind up   (or set KUBECONFIG)"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Access:
    """How to reach one context.

    about: the context and what it allows. namespace: None if the context names none.
    server: its URL without credentials and without a final slash. proxy: the cluster's `proxy-url`.
    impersonation: headers that let the user act as somebody else; their names may repeat.
    """

    about: Context
    namespace: str | None
    server: str
    tls: TlsSettings
    credentials: Credentials = field(repr=False)
    impersonation: Headers = ()
    proxy: str | None = field(default=None, repr=False)

    @property
    def context(self) -> str:
        return self.about.name


def access(context: str | None = None) -> Access:
    """Read how to reach a context; None: the current one.

    Errors: MissingError (4) if there is no kubeconfig or no such context, or if the kubeconfig is
    malformed or has a key that raykit does not support.
    """
    merged = kubeconfig.load()
    if merged is None:
        raise NoContextError(
            "there is no kubeconfig",
            evidence=[f"{path} does not exist" for path in kubeconfig.paths()],
            next=GET_A_CONTEXT,
        )
    name = context or merged.current
    if not name:
        raise _no_current_context(merged.contexts)
    if name not in merged.contexts:
        raise _no_context(name, merged.contexts)
    _read[context] = _read[name] = _of(merged, name)
    return _read[name]


def last_read(context: str | None) -> Access | None:
    """How this process read a context last, so that no program is asked for credentials again.

    context: None: the current one. Returns None if it was not read, or not with success.
    """
    return _read.get(context)


_read: dict[str | None, Access] = {}


def _of(merged: Kubeconfig, name: str) -> Access:
    context = _Section(merged.contexts[name], f"context {name}")
    cluster = _entry(merged.clusters, context.text("cluster"), "cluster", name)
    user_name = context.text("user")
    user = _entry(merged.users, user_name, "user", name) if user_name else _Section({}, "user")
    server = _server(cluster)
    identity = credentials.of_user(user, cluster.entry, _login_of_url(server))
    return Access(
        about=contexts.describe(name, user.entry.get("exec")),
        namespace=context.text("namespace"),
        server=_without_login(server),
        tls=_tls(cluster, identity),
        credentials=identity,
        impersonation=_impersonation(user),
        proxy=_proxy(cluster),
    )


@dataclass(frozen=True)
class _Section:
    """One entry of the kubeconfig. Its methods check the types of the values."""

    entry: Entry
    title: str

    def text(self, key: str) -> str | None:
        value = self.entry.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not value.isprintable():
            raise self.wrong(key, "is not a plain text")
        return value

    def flag(self, key: str) -> bool:
        value = self.entry.get(key)
        if not isinstance(value, bool | None):
            raise self.wrong(key, "is neither true nor false")
        return bool(value)

    def texts(self, key: str) -> list[str]:
        value = self.entry.get(key) or []
        if not isinstance(value, list) or not all(_is_plain(item) for item in value):
            raise self.wrong(key, "is not a list of plain texts")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.entry.get(key) or {}
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise self.wrong(key, "is not a mapping")
        return value

    def wrong(self, key: str, problem: str) -> MissingError:
        return MissingError(
            f"the kubeconfig's {self.title} cannot be used",
            evidence=[f"{key} {problem}"],
            next="kubectl config view",
        )


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _entry(known: dict[str, Entry], wanted: str | None, what: str, context: str) -> _Section:
    if wanted is None or wanted not in known:
        raise MissingError(
            f"the kubeconfig's context {context} names a {what} that is not there: {wanted}",
            evidence=_known(known),
            next="kubectl config view",
        )
    return _Section(known[wanted], f"{what} {wanted}")


def _server(cluster: _Section) -> SplitResult:
    server = cluster.text("server")
    if server is None:
        raise cluster.wrong("server", "is not given")
    address = _address(server)
    if address is None or address.scheme not in ("http", "https"):
        raise cluster.wrong("server", "is not an address such as https://HOST:6443")
    return address


def _address(text: str) -> SplitResult | None:
    """The parts of a URL; None if it is invalid: a bad port, an unclosed bracket, no host."""
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        return None
    usable = address.hostname and text.isascii() and " " not in text
    return address if usable else None


def _login_of_url(server: SplitResult) -> tuple[str, str] | None:
    if server.username is None or server.password is None:
        return None
    return unquote(server.username), unquote(server.password)


def _without_login(server: SplitResult) -> str:
    host = server.netloc.rpartition("@")[2]
    return urlunsplit((server.scheme, host, server.path.rstrip("/"), "", ""))


def _proxy(cluster: _Section) -> str | None:
    proxy = cluster.text("proxy-url")
    if proxy is None:
        return None
    address = _address(proxy)
    if address is None:
        raise cluster.wrong("proxy-url", "is not an address such as http://HOST:3128")
    if address.scheme not in PROXY_SCHEMES:
        raise cluster.wrong("proxy-url", f"is a {address.scheme} proxy: raykit speaks http, https")
    return proxy


def _tls(cluster: _Section, identity: Credentials) -> TlsSettings:
    authority = cluster.text("certificate-authority")
    authority_data = cluster.text("certificate-authority-data")
    insecure = cluster.flag("insecure-skip-tls-verify")
    if insecure and (authority or authority_data):
        raise cluster.wrong("insecure-skip-tls-verify", "contradicts its certificate-authority")
    return TlsSettings(
        authority=None if authority_data else authority,
        authority_data=authority_data,
        insecure=insecure,
        server_name=cluster.text("tls-server-name"),
        certificate=identity.certificate,
    )


def _impersonation(user: _Section) -> Headers:
    """The headers of `as`, `as-uid`, `as-groups` and `as-user-extra`, as client-go sends them."""
    name, uid, groups = user.text("as"), user.text("as-uid"), user.texts("as-groups")
    extra = [
        (f"Impersonate-Extra-{quote(key.lower(), safe='')}", value)
        for key, values in user.mapping("as-user-extra").items()
        for value in _Section({key: values}, user.title).texts(key)
    ]
    if name is None and (uid or groups or extra):
        raise user.wrong("as", "is not given, but others of its keys are: as-uid, as-groups …")
    headers = [
        *([("Impersonate-User", name)] if name else []),
        *([("Impersonate-Uid", uid)] if uid else []),
        *(("Impersonate-Group", group) for group in groups),
        *extra,
    ]
    if not all(value.isascii() for _, value in headers):
        raise user.wrong("as", "and its groups must be ASCII: they travel in HTTP headers")
    return tuple(headers)


def _no_current_context(known: dict[str, Entry]) -> MissingError:
    """The problem. After `raykit kind down` a kubeconfig may be there without any context."""
    if not known:
        return MissingError("the kubeconfig has no context", next=GET_A_CONTEXT)
    return MissingError(
        "the kubeconfig has no current context",
        evidence=_known(known),
        next="kubectl config use-context NAME   (or raykit … --context NAME)",
    )


def _no_context(name: str, known: dict[str, Entry]) -> NoContextError:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    nearest = f"did you mean {' or '.join(near)}?" if near else ""
    is_kind = contexts.kind_cluster(name) is not None and not near
    return NoContextError(
        f"the kubeconfig has no context {name}",
        evidence=[text for text in (nearest, *_known(known)) if text],
        next="raykit kind up" if is_kind else "kubectl config get-contexts",
    )


def _known(names: dict[str, Entry]) -> list[str]:
    return [f"there are: {', '.join(sorted(names))}"] if names else ["there are none"]
