"""One Kubernetes context, spoken to through lightkube; objects are plain dicts as in JSON."""

from __future__ import annotations

import base64
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from raykit.kube import errors, kubeconfig
from raykit.objects import Object

if TYPE_CHECKING:
    import httpx2

FIELD_MANAGER = "raykit"
DEFAULT_NAMESPACE = "raykit"
CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0
"""Together with one read below the 10 s within which an unreachable context must be named."""
EVERYWHERE = "*"
RAY_API = "ray.io/v1"
RAY_KINDS = {"RayCluster": "rayclusters", "RayJob": "rayjobs", "RayService": "rayservices"}
API_VERSIONS = {
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Deployment": "apps/v1",
    **dict.fromkeys(RAY_KINDS, RAY_API),
}
_ONE_AT_A_TIME = threading.RLock()


class Kubernetes:
    """A connection to one context. `namespace`: the context's, where it names one, or raykit."""

    def __init__(self, access: kubeconfig.Access) -> None:
        self.access = access
        self.context = access.context
        self.namespace = access.namespace or DEFAULT_NAMESPACE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object; None where there is none."""
        from lightkube.core.exceptions import ApiError

        with self._lightkube() as client:
            try:
                found: Object = client.get(_class(kind), name, **_in(namespace)).to_dict()
            except ApiError as refused:
                if refused.status.code == errors.NOT_FOUND:
                    return None
                raise
        return found

    def objects(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """All objects of a kind in a namespace (`*`: in all of them)."""
        with self._lightkube() as client:
            found = client.list(
                _class(kind),
                labels=dict(labels) if labels else None,
                fields=dict(fields) if fields else None,
                **_in(namespace),
            )
            return [item.to_dict() for item in found]

    def apply(self, item: Object, *, force: bool = False) -> Object:
        """Server-side apply; what the API server then holds.

        Errors: ConflictError (8) where another owner set a field to another value.
        """
        from lightkube import codecs

        _class(item["kind"], item["apiVersion"])
        with self._lightkube() as client:
            resource: Any = codecs.from_dict(item)
            applied: Object = client.apply(resource, force=force).to_dict()
        return applied

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        """Delete one object and what it owns; False where there was none."""
        from lightkube.core.exceptions import ApiError
        from lightkube.types import CascadeType

        with self._lightkube() as client:
            try:
                client.delete(_class(kind), name, cascade=CascadeType.FOREGROUND, **_in(namespace))
            except ApiError as refused:
                if refused.status.code == errors.NOT_FOUND:
                    return False
                raise
        return True

    def changes(
        self, kind: str, namespace: str, labels: Mapping[str, str] | None, seconds: int
    ) -> Iterator[None]:
        """One item for each change of objects of a kind, for so many seconds."""
        import httpx2

        query = {"watch": "true", "timeoutSeconds": str(seconds)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        timeout = httpx2.Timeout(seconds + READ_SECONDS, connect=CONNECT_SECONDS)
        path = _collection(kind, namespace)
        with self.raw.stream("GET", path, params=query, timeout=timeout) as stream:
            stream.raise_for_status()
            for _ in stream.iter_lines():
                yield

    def log(
        self, pod: str, namespace: str, container: str, lines: int, previous: bool
    ) -> list[str]:
        """The last lines of a container; none where there is no log."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        answer = self.raw.get(path, params=query)
        return answer.text.splitlines() if answer.is_success else []

    def output(self, pod: str, namespace: str, container: str, command: Sequence[str]) -> str:
        """What a command prints in a container, whatever its exit code.

        Errors: MissingError (4) where we may not run one there, KubernetesError (5).
        """
        with self._lightkube() as client:
            ran = client.exec(
                pod,
                namespace=namespace,
                container=container,
                command=list(command),
                stdout=True,
                timeout=READ_SECONDS,
            )
            return str(ran.stdout or "")

    def serves(self, api_version: str, plural: str) -> bool:
        """Whether the API server knows a kind of resource, by its own discovery."""
        with self._translated():
            answer = self.raw.get(f"/apis/{api_version}")
        if answer.status_code == errors.NOT_FOUND:
            return False
        with self._translated():
            answer.raise_for_status()
        return any(item.get("name") == plural for item in answer.json().get("resources", []))

    def tls(self) -> ssl.SSLContext | bool:
        """What an HTTPS client needs to be known to the API server, and to know it."""
        from lightkube.config.client_adapter import verify_cluster
        from lightkube.config.models import User

        config = self.access.config
        if urlsplit(self.access.server).scheme != "https":
            return True
        with self._translated():
            return verify_cluster(config.cluster, config.user or User(), config.abs_file)

    def close(self) -> None:
        """End the connections; what still reads from one fails."""
        for made in ("raw", "_client"):
            if made in self.__dict__:
                self.__dict__[made].close()

    def version(self) -> str:
        """The API server's version: the first thing to ask, since it tells every fault apart."""
        with self._translated():
            answer = self.raw.get("/version")
            answer.raise_for_status()
            try:
                return str(answer.json()["gitVersion"])
            except (ValueError, KeyError, TypeError):
                import httpx2

                raise httpx2.HTTPStatusError(
                    f"GET /version answered {answer.text[:80]!r}",
                    request=answer.request,
                    response=answer,
                ) from None

    @cached_property
    def raw(self) -> httpx2.Client:
        """An HTTP client with the context's credentials, for what is not a list of objects."""
        from lightkube.config import client_adapter

        with self._translated():
            return client_adapter.Client(self.access.config, self._parameters())

    @cached_property
    def _client(self) -> Any:  # lightkube's overloads know no kind that is a variable
        from lightkube import Client

        parameters = self._parameters()
        with self._translated():
            return Client(
                self.access.config,
                timeout=parameters.timeout,
                trust_env=parameters.trust_env,
                proxy=parameters.proxy,
                field_manager=FIELD_MANAGER,
            )

    def _parameters(self) -> Any:
        import httpx2
        from lightkube.config.client_adapter import ConnectionParams

        return ConnectionParams(
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not is_loopback(self.access.server),
            proxy=self.access.proxy,
        )

    @contextmanager
    def _lightkube(self) -> Iterator[Any]:
        """lightkube's client, for one thread at a time.

        msgspec 0.22, by which lightkube decodes, crashes the interpreter when two threads meet a
        type for the first time.
        """
        with _ONE_AT_A_TIME, self._translated():
            yield self._client

    def _translated(self) -> AbstractContextManager[None]:
        return errors.translated(self.context, self.access.server)


def connect(context: str | None = None) -> Kubernetes:
    """Connect to a context, by default the current one, and see that it answers.

    Errors: MissingError (4) for the kubeconfig, KubernetesError (5) for what is behind it.
    """
    connection = Kubernetes(kubeconfig.access(context))
    connection.version()
    return connection


def secret_value(connection: Kubernetes, name: str, key: str, namespace: str) -> str | None:
    """One value of a Secret; None where there is no such Secret or key."""
    secret = connection.get("Secret", name, namespace)
    value = ((secret or {}).get("data") or {}).get(key)
    return base64.b64decode(value).decode().strip() if value else None


def is_loopback(url: str) -> bool:
    """Whether an address is this machine, to which no proxy leads."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _collection(kind: str, namespace: str) -> str:
    """The path of all objects of a kind in a namespace."""
    info = _class(kind)._api_info
    group, version = info.resource.group, info.resource.version
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{info.plural}"


def _in(namespace: str | None) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}


def _class(kind: str, api_version: str | None = None) -> Any:
    from lightkube.codecs import resource_registry
    from lightkube.generic_resource import create_namespaced_resource

    if kind in RAY_KINDS:
        group, version = RAY_API.split("/")
        return create_namespaced_resource(group, version, kind, RAY_KINDS[kind])
    return resource_registry.load(api_version or API_VERSIONS.get(kind, "v1"), kind)
