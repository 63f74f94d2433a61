"""One Kubernetes context, spoken to in its own REST API; objects are plain dicts as in JSON."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from raykit.errors import KubernetesError
from raykit.kube import answers, errors
from raykit.kube.access import Access, access
from raykit.kube.answers import StrangeAnswerError
from raykit.kube.kinds import EVERYWHERE, KINDS, RAY_API, selectors
from raykit.kube.tls import ssl_context
from raykit.objects import Object

if TYPE_CHECKING:
    import httpx2

__all__ = ["EVERYWHERE", "RAY_API", "Kubernetes", "connect", "secret_value"]

FIELD_MANAGER = "raykit"
DEFAULT_NAMESPACE = "raykit"
CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0
"""Together with one read below the 10 s within which an unreachable context must be named."""
PAGE, MOST_PAGES = 500, 400
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
OK = range(200, 300)
NO_SUCH_ADDRESS = b"404 page not found"
"""What an API server says of an API group that it does not have."""


class Kubernetes:
    """A connection to one context. `namespace`: the context's, where it names one, or raykit.

    about: what the context is.

    Every method raises MissingError (4) where we may not, or where the kubeconfig is at fault,
    and KubernetesError (5) for every other refusal, silence or answer that makes no sense.
    Credentials that are no longer accepted are read again once.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.about, self.context = access.about, access.context
        self.namespace = access.namespace or DEFAULT_NAMESPACE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object; None where there is none."""
        content = self._asked("GET", KINDS[kind].path(namespace, name), may_be_absent=True)
        return None if content is None else self._made(kind, content)

    def objects(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """All objects of a kind in a namespace (`*`: in all of them)."""
        pages = self.pages(kind, namespace, labels=labels, fields=fields)
        return [item for page in pages for item in page]

    def pages(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        metadata_only: bool = False,
    ) -> Iterator[list[Object]]:
        """The objects by pages of 500, so that a reader need not hold them all.

        labels: an empty value asks for the label alone. metadata_only: the API server leaves
        spec and status out.
        """
        query = {"limit": str(PAGE), **selectors(labels, fields)}
        headers = {"Accept": METADATA_ONLY} if metadata_only else {}
        path = KINDS[kind].path(namespace)
        for _ in range(MOST_PAGES):
            content = self._asked("GET", path, query=query, headers=headers)
            assert content is not None
            with self._understood():
                page = answers.items("Metadata" if metadata_only else kind, content)
            yield page
            more = answers.next_page(content)
            if more is None:
                return
            query["continue"] = more
        said = f"GET {path}: the list has no end after {MOST_PAGES} pages"
        raise errors.not_kubernetes(self.about, self.access.server, said)

    def apply(self, item: Object, *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply; what the API server then holds, or would hold.

        Errors: ConflictError (8) where another owner set a field to another value.
        """
        kind, metadata = KINDS[item["kind"]], item["metadata"]
        content = self._asked(
            "PATCH",
            kind.path(metadata.get("namespace"), metadata["name"]),
            query={
                "fieldManager": FIELD_MANAGER,
                "force": str(force).lower(),
                **({"dryRun": "All"} if dry_run else {}),
            },
            headers={"Content-Type": APPLY_PATCH},
            body=item,
        )
        assert content is not None
        return self._made(item["kind"], content)

    def annotate(
        self, kind: str, name: str, namespace: str, annotations: Mapping[str, str]
    ) -> None:
        """Set annotations of one object, beside what raykit applies."""
        self._asked(
            "PATCH",
            KINDS[kind].path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            headers={"Content-Type": MERGE_PATCH},
            body={"metadata": {"annotations": dict(annotations)}},
        )

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
    ) -> bool:
        """Delete one object and what it owns; False where there was none.

        grace_seconds: what a pod has to end by itself; None for its own period.
        """
        path = KINDS[kind].path(namespace, name)
        policy: Object = {"propagationPolicy": "Foreground"}
        if grace_seconds is not None:
            policy["gracePeriodSeconds"] = grace_seconds
        return self._asked("DELETE", path, body=policy, may_be_absent=True) is not None

    def changes(
        self,
        kind: str,
        namespace: str,
        seconds: int,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        """One item for each change of objects of a kind, for so many seconds."""
        import httpx2

        query = {"watch": "true", "timeoutSeconds": str(seconds), **selectors(labels, fields)}
        timeout = httpx2.Timeout(seconds + READ_SECONDS, connect=CONNECT_SECONDS)
        path = KINDS[kind].path(namespace)
        with self._client.stream("GET", path, params=query, timeout=timeout) as stream:
            stream.raise_for_status()
            # Pieces, not lines: a line may be an object of a megabyte, or have no end.
            for _ in stream.iter_bytes():
                yield

    def log(
        self, pod: str, namespace: str, container: str, lines: int, previous: bool
    ) -> list[str]:
        """The last lines of a container; none where there is no log."""
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        status, data = self._answer("GET", path, query={**query, "limitBytes": str(2**16)})
        return data.decode("utf-8", "replace").splitlines() if status in OK else []

    def status_of(self, path: str) -> int:
        """The HTTP status that an address of the API server gives, such as that of a proxy."""
        return self._answer("GET", path)[0]

    def serves(self, api_version: str, plural: str) -> bool:
        """Whether the API server knows a kind of resource, by its own discovery."""
        content = self._asked("GET", f"/apis/{api_version}", may_be_absent=True)
        known = (content or {}).get("resources") or []
        return isinstance(known, list) and any(
            isinstance(item, dict) and item.get("name") == plural for item in known
        )

    def version(self) -> str:
        """The API server's version: the first thing to ask, since it tells every fault apart."""
        content = self._asked("GET", "/version")
        version = (content or {}).get("gitVersion")
        if not isinstance(version, str):
            raise errors.not_kubernetes(
                self.about, self.access.server, f"GET /version answered {str(content)[:80]}"
            )
        return version

    def headers(self) -> list[tuple[str, str]]:
        """By what a request is known to the API server: a credential, and for whom it acts."""
        authorization = self.access.credentials.authorization
        known = [("Authorization", authorization)] if authorization else []
        return [*known, *self.access.impersonation]

    @cached_property
    def tls(self) -> ssl.SSLContext | bool:
        """What an HTTPS client needs to be known to the API server, and to know it."""
        if urlsplit(self.access.server).scheme != "https":
            return True
        with self._translated():
            return ssl_context(self.access.tls)

    def close(self) -> None:
        """End the connections; what still reads from one fails."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        with self._translated():
            return httpx2.Client(
                base_url=self.access.server,
                headers=self.headers(),
                # Reading the certificates takes longer than a request: not where none is shown.
                verify=False if self.tls is True else self.tls,
                proxy=self.access.proxy,
                trust_env=not is_loopback(self.access.server),
                timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            )

    def _made(self, kind: str, content: Object) -> Object:
        with self._understood():
            return answers.one(kind, content)

    def _asked(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Object | None = None,
        may_be_absent: bool = False,
    ) -> Object | None:
        """The JSON object that a request gives; None where there is no such thing."""
        status, data = self._answer(method, path, query=query, headers=headers, body=body)
        if status in OK:
            with self._understood():
                return answers.parsed(data)
        message = answers.message(data)
        if may_be_absent and status == errors.NOT_FOUND and data.strip() == NO_SUCH_ADDRESS:
            return None
        if message is None and status != errors.UNAUTHORIZED:
            said = f"{method} {path}: HTTP {status}: {answers.quoted(data)}"
            raise errors.not_kubernetes(self.about, self.access.server, said)
        if status == errors.NOT_FOUND and may_be_absent:
            return None
        raise errors.of_status(self.about, status, message or answers.quoted(data))

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of one request, which is sent again with credentials read anew."""
        status, data = self._answered(method, path, query, headers, body)
        if status == errors.UNAUTHORIZED and self._renewed():
            status, data = self._answered(method, path, query, headers, body)
        return status, data

    def _answered(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Object | None,
    ) -> tuple[int, bytes]:
        with (
            self._understood(),
            self._translated(),
            self._client.stream(method, path, params=query, headers=headers, json=body) as answer,
        ):
            return answer.status_code, answers.body(answer.iter_bytes())

    def _renewed(self) -> bool:
        """Read the credentials again; whether they are others than before."""
        fresh = access(self.context)
        if fresh.credentials == self.access.credentials or fresh.server != self.access.server:
            return False
        self.access = fresh
        for made in ("_client", "tls"):
            self.__dict__.pop(made, None)
        return True

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except StrangeAnswerError as strange:
            raise errors.not_kubernetes(self.about, self.access.server, str(strange)) from strange

    def _translated(self) -> AbstractContextManager[None]:
        return errors.translated(self.about, self.access.server)


def connect(context: str | None = None) -> Kubernetes:
    """Connect to a context, by default the current one, and see that it answers.

    Errors: MissingError (4) for the kubeconfig, KubernetesError (5) for what is behind it.
    """
    connection = Kubernetes(access(context))
    try:
        connection.version()
    except errors.ForbiddenError:
        # Whoever refuses so is an API server, and knows us: some hide even their version.
        pass
    return connection


def secret_value(connection: Kubernetes, name: str, key: str, namespace: str) -> str | None:
    """One value of a Secret; None where there is no such Secret or key."""
    secret = connection.get("Secret", name, namespace)
    value = ((secret or {}).get("data") or {}).get(key)
    if not value:
        return None
    try:
        return base64.b64decode(value).decode().strip()
    except ValueError as wrong:
        raise KubernetesError(
            f"the Secret {name} in namespace {namespace} holds no text under {key}"
        ) from wrong


def is_loopback(url: str) -> bool:
    """Whether an address is this machine, to which no proxy leads."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
