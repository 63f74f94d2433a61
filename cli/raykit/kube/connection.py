"""A connection to one Kubernetes context by its REST API; objects are plain JSON dicts."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping

from raykit.errors import KubernetesError
from raykit.kube import answers, errors
from raykit.kube.access import Access, access
from raykit.kube.api_server import CONNECT_SECONDS, READ_SECONDS, ApiServer, Request, is_loopback
from raykit.kube.kinds import EVERYWHERE, KINDS, RAY_API, selectors
from raykit.objects import Object

__all__ = ["EVERYWHERE", "RAY_API", "Kubernetes", "connect", "is_loopback", "secret_value"]

FIELD_MANAGER = "raykit"
DEFAULT_NAMESPACE = "raykit"
PAGE, MOST_PAGES = 500, 400
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CHILDLESS = ("Pod", "NetworkPolicy")
"""Kinds that own nothing: such an object is gone as soon as it is deleted."""
OK = range(200, 300)
NO_SUCH_ADDRESS = b"404 page not found"
"""The answer of an API server for an API group that it does not have."""


class Kubernetes(ApiServer):
    """A connection to one context.

    namespace: the context's own, else `raykit`. seconds: as in `ApiServer`.

    Every method raises MissingError (4) if the user lacks a right or the kubeconfig is wrong, and
    KubernetesError (5) for any other refusal, a time-out or a senseless answer.
    """

    def __init__(self, access: Access, seconds: float | None = None) -> None:
        super().__init__(access, seconds)
        self.namespace = access.namespace or DEFAULT_NAMESPACE

    def get(
        self, kind: str, name: str, namespace: str | None = None, *, part: str = ""
    ) -> Object | None:
        """One object; None if it does not exist. part: a subresource to read in its place."""
        path = KINDS[kind].path(namespace, name)
        request = Request("GET", f"{path}/{part}" if part else path)
        content = self._content(request, may_be_absent=True)
        return None if content is None else self._object(kind, content)

    def objects(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """All objects of a kind in a namespace (`*`: in all namespaces).

        labels: an empty value selects objects that have the label, with any value.
        """
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
        """The objects in pages of 500, so that the caller need not keep all in memory.

        labels: as in `objects`. metadata_only: the API server leaves out spec and status.
        """
        query = {"limit": str(PAGE), **selectors(labels, fields)}
        headers = {"Accept": METADATA_ONLY} if metadata_only else {}
        path = KINDS[kind].path(namespace)
        for _ in range(MOST_PAGES):
            content = self._content(Request("GET", path, query, headers))
            assert content is not None
            with self._understood():
                page = answers.items("Metadata" if metadata_only else kind, content)
            yield page
            more = answers.next_page(content)
            if more is None:
                return
            query["continue"] = more
        evidence = f"GET {path}: the list has no end after {MOST_PAGES} pages"
        raise errors.not_kubernetes(self.about, self.access.server, evidence)

    def apply(self, item: Object, *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply; return the object as the API server then stores it.

        force: take fields over from other owners. dry_run: change nothing, return what would be
        stored.
        Errors: ConflictError (8) if another owner has set a field to another value.
        """
        kind, metadata = KINDS[item["kind"]], item["metadata"]
        request = Request(
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
        return self._stored(item["kind"], request)

    def create(
        self, item: Object, namespace: str | None = None, *, dry_run: bool = False
    ) -> Object:
        """Create an object, or ask a review; return it as the API server then stores it.

        item: its `apiVersion` may be left out. dry_run: change nothing; admission still decides.
        """
        kind = KINDS[item["kind"]]
        request = Request(
            "POST",
            kind.path(namespace),
            query={"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})},
            body={"apiVersion": kind.api_version, **item},
        )
        return self._stored(item["kind"], request)

    def annotate(
        self, kind: str, name: str, namespace: str, annotations: Mapping[str, str]
    ) -> None:
        """Set annotations of one object, separately from the fields that raykit applies."""
        self._content(
            Request(
                "PATCH",
                KINDS[kind].path(namespace, name),
                query={"fieldManager": FIELD_MANAGER},
                headers={"Content-Type": MERGE_PATCH},
                body={"metadata": {"annotations": dict(annotations)}},
            )
        )

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Delete one object and the objects that it owns; return False if it did not exist.

        An object that may own others goes after them, once Kubernetes has looked for them.
        uid: of the object that is meant; another one of its name is not deleted. grace_seconds:
        seconds in which a pod may end by itself; None: the pod's own period.
        Errors: ConflictError (8) if an object of that name has another uid.
        """
        path = KINDS[kind].path(namespace, name)
        policy: Object = {"propagationPolicy": "Background" if kind in CHILDLESS else "Foreground"}
        if uid is not None:
            policy["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            policy["gracePeriodSeconds"] = grace_seconds
        request = Request("DELETE", path, body=policy)
        return self._content(request, may_be_absent=True) is not None

    def changes(
        self,
        kind: str,
        namespace: str,
        seconds: int,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        """Watch objects of a kind for `seconds` and yield at each change, sometimes twice."""
        import httpx2

        query = {"watch": "true", "timeoutSeconds": str(seconds), **selectors(labels, fields)}
        timeout = httpx2.Timeout(seconds + READ_SECONDS, connect=CONNECT_SECONDS)
        path = KINDS[kind].path(namespace)
        with self._client.stream("GET", path, params=query, timeout=timeout) as stream:
            stream.raise_for_status()
            # Read pieces, not lines: a line may have a megabyte, or never end.
            for _ in stream.iter_bytes():
                yield

    def log(
        self,
        pod: str,
        namespace: str,
        container: str,
        lines: int,
        previous: bool,
        most: int = 2**16,
        since: str = "",
    ) -> list[str]:
        """The last lines of a container's log; none if there is no log.

        lines: how many. previous: the log of the container's previous run. most: bytes, counted
        from the first of these lines: with too few, the newest lines are missing. since: a time of
        Kubernetes, such as an object's `creationTimestamp`; older lines are left out.
        """
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        query |= {"limitBytes": str(most), **({"sinceTime": since} if since else {})}
        status, data = self.answer(Request("GET", path, query))
        return data.decode("utf-8", "replace").splitlines() if status in OK else []

    def end_of_log(
        self,
        pod: str,
        namespace: str,
        container: str,
        lines: int,
        most: int,
        *,
        previous: bool = False,
    ) -> bytes | None:
        """The last lines of a container's log, their first `most` bytes; None if there is no log.

        Errors: ForbiddenError (4) with the rule that is missing.
        """
        query = {"tailLines": str(lines), "previous": str(previous).lower()}
        return self._log(pod, namespace, {"container": container, **query}, most)

    def whole_log(self, pod: str, namespace: str, container: str, most: int) -> bytes | None:
        """All that is kept of a container's log, at most so many bytes; None if there is no log.

        Errors: as `end_of_log`.
        """
        return self._log(pod, namespace, {"container": container}, most)

    def log_ends(self, pod: str, namespace: str, container: str, seconds: float) -> bool:
        """Whether a container's log ends within some seconds, as it does once the container ended.

        Of a pod that is ending this is known at once; its status follows when all containers ended.
        False also where logs may not be read.
        """
        import httpx2

        query = {"container": container, "follow": "true", "tailLines": "1"}
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
        deadline = time.monotonic() + seconds
        try:
            with self._client.stream("GET", path, params=query, timeout=timeout) as stream:
                late = any(time.monotonic() > deadline for _ in stream.iter_bytes())
                return stream.status_code in OK and not late
        except httpx2.HTTPError:
            return False

    def status_of(self, path: str) -> int:
        """The HTTP status of GET on a path of the API server, such as a service proxy."""
        return self.answer(Request("GET", path))[0]

    def serves(self, api_version: str, plural: str) -> bool:
        """Whether the API server knows a resource, such as `ray.io/v1` and `rayclusters`."""
        content = self._content(Request("GET", f"/apis/{api_version}"), may_be_absent=True)
        known = (content or {}).get("resources") or []
        return isinstance(known, list) and any(
            isinstance(item, dict) and item.get("name") == plural for item in known
        )

    def version(self) -> str:
        """The API server's version. Ask for it first: its errors show what is wrong."""
        content = self._content(Request("GET", "/version"))
        version = (content or {}).get("gitVersion")
        if not isinstance(version, str):
            raise errors.not_kubernetes(
                self.about, self.access.server, f"GET /version answered {str(content)[:80]}"
            )
        return version

    def _log(self, pod: str, namespace: str, query: Mapping[str, str], most: int) -> bytes | None:
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        status, data = self.answer(Request("GET", path, {**query, "limitBytes": str(most)}))
        if status == errors.FORBIDDEN:
            raise errors.of_status(self.about, status, answers.message(data) or "")
        return data if status in OK else None

    def _object(self, kind: str, content: Object) -> Object:
        with self._understood():
            return answers.one(kind, content)

    def _stored(self, kind: str, request: Request) -> Object:
        """Send an object; return it as the API server stores it."""
        content = self._content(request)
        assert content is not None
        return self._object(kind, content)

    def _content(self, request: Request, *, may_be_absent: bool = False) -> Object | None:
        """The JSON object that answers a request; None for 404 with `may_be_absent`."""
        status, data = self.answer(request)
        if status in OK:
            with self._understood():
                return answers.parsed(data)
        message = answers.message(data)
        if may_be_absent and status == errors.NOT_FOUND and data.strip() == NO_SUCH_ADDRESS:
            return None
        if message is None and status != errors.UNAUTHORIZED:
            evidence = f"{request.method} {request.path}: HTTP {status}: {answers.quoted(data)}"
            raise errors.not_kubernetes(self.about, self.access.server, evidence)
        if status == errors.NOT_FOUND and may_be_absent:
            return None
        raise errors.of_status(self.about, status, message or answers.quoted(data))


def connect(context: str | None = None) -> Kubernetes:
    """Connect to a context and check that it answers. context: None: the current one.

    Errors: MissingError (4) for the kubeconfig, KubernetesError (5) for the API server.
    """
    connection = Kubernetes(access(context))
    try:
        connection.version()
    except errors.ForbiddenError:
        # Some API servers hide their version; a refusal also proves that it answers and knows us.
        pass
    return connection


def secret_value(connection: Kubernetes, name: str, key: str, namespace: str) -> str | None:
    """One value of a Secret, decoded; None if the Secret or the key does not exist.

    Errors: KubernetesError (5) if it is not text; else as `Kubernetes`.
    """
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
