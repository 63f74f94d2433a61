"""Turn failed requests to an API server into raykit's errors: one for each cause."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.kube.contexts import Context, kubectl

if TYPE_CHECKING:
    import httpx2

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
INVALID, TOO_MANY, SERVER_FAULT = 422, 429, 500
_RULE = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[\w./-]+)" in API group "(?P<group>[\w.-]*)"'
    r'(?: in the namespace "(?P<namespace>[\w.-]+)"| (?P<everywhere>at the cluster scope))?'
)


_OF_ADMISSION = re.compile(r"exceeded quota|violates|admission webhook|denied (?:the )?request")
"""In an answer 403 that is about the object that was sent, and no lack of a right."""

_NO_NAMESPACE = re.compile(r'namespaces "([\w.-]+)" not found')
"""The answer of an API server to who would put an object into a namespace that does not exist."""


class ForbiddenError(MissingError):
    """The user lacks a right (HTTP 403). Callers that need the answer only for information go on
    without it."""


class NoContextError(MissingError):
    """The kubeconfig has no context of this name, or there is no kubeconfig."""


@contextmanager
def translated(context: Context, server: str) -> Iterator[None]:
    """Turn the exceptions of the HTTP client and of TLS into raykit's errors."""
    try:
        yield
    except (ssl.SSLError, OSError, ValueError, ImportError) as wrong:
        raise _unusable(context, wrong) from wrong
    except Exception as failed:
        # Loaded only now: completion sends its requests without it.
        import httpx2

        if isinstance(failed, httpx2.HTTPError):
            raise of_transport(context, server, failed) from failed
        if isinstance(failed, httpx2.InvalidURL):
            raise _unusable(context, failed) from failed
        raise


def _unusable(context: Context, wrong: Exception) -> MissingError:
    return MissingError(
        f"the kubeconfig's context {context} cannot be used",
        evidence=[str(wrong) or type(wrong).__name__],
        next=f"{kubectl(context.name)} version",
    )


def got_no_answer(error: BaseException) -> bool:
    """Whether an error says that a request got no answer from the API server."""
    import httpx2

    return isinstance(error.__cause__, httpx2.HTTPError)


def of_transport(context: Context, server: str, failed: httpx2.HTTPError) -> KubernetesError:
    """The error for a request without a usable answer: one text for each cause."""
    import httpx2

    reason = str(failed) or type(failed).__name__
    lowered = reason.lower()
    where = f"the API server of context {context} at {server}"
    look = f"{kubectl(context.name)} version"
    if isinstance(failed, httpx2.TimeoutException):
        what, next = f"{where} did not answer in time", f"is the way there open? {look}"
    elif isinstance(failed, httpx2.ProxyError):
        what, next = f"the proxy before {where} does not let us through", look
    elif "eof occurred" in lowered:
        # So does kind's port while its API server is started again, and many a load balancer.
        what = f"{where} ended the connection before TLS was agreed"
        next = f"if it is being started, wait for it: {look}"
    elif "certificate" in lowered or "ssl" in lowered:
        what, next = f"{where} cannot be trusted: TLS failed", f"renew its entry: {look}"
    elif "refused" in lowered:
        what, next = f"nothing listens where {where} should be", context.restart
    elif "name or service" in lowered or "name resolution" in lowered or "nodename" in lowered:
        what, next = f"the name of {where} cannot be resolved", look
    else:
        what, next = f"{where} cannot be reached", look
    return KubernetesError(what, evidence=[reason], next=next)


def not_kubernetes(context: Context, server: str, evidence: str) -> KubernetesError:
    """The error for an answer that no Kubernetes API server gives."""
    return KubernetesError(
        f"what answers at {server} is no Kubernetes API server",
        evidence=[evidence],
        next=f"{kubectl(context.name)} version",
    )


def of_status(context: Context, code: int, message: str) -> RaykitError:
    """The error for an answer with the HTTP status `code`."""
    if code == UNAUTHORIZED:
        return KubernetesError(
            f"the API server of context {context} does not accept the kubeconfig's credentials",
            evidence=[message],
            next=context.login_hint,
        )
    if code == FORBIDDEN and not _OF_ADMISSION.search(message):
        return _forbidden(context, message)
    if code == CONFLICT and "UID in precondition" in message:
        return ConflictError(
            "another object has this name by now: nothing was deleted",
            evidence=message.splitlines(),
            next="raykit status",
        )
    if is_another_object(code, message):
        return ConflictError(
            "the object was deleted meanwhile, and another one may have its name: nothing changed",
            evidence=message.splitlines(),
            next="raykit status, then run the same command again",
        )
    if code == CONFLICT:
        return ConflictError(
            "something else owns fields that raykit would set", evidence=message.splitlines()
        )
    absent = _NO_NAMESPACE.fullmatch(message)
    if absent:
        return no_namespace(context, absent[1])
    if code == TOO_MANY:
        return KubernetesError(
            f"the API server of context {context} is busy and turns requests away",
            evidence=message.splitlines(),
            next="run the same command again later",
        )
    if "field not declared in schema" in message:
        return MissingError(
            f"KubeRay of context {context} does not know a field that the spec needs",
            evidence=message.splitlines(),
            next="upgrade KubeRay there, with its CRDs",
        )
    return KubernetesError("Kubernetes refused", evidence=message.splitlines() or [f"HTTP {code}"])


def is_another_object(code: int, message: str) -> bool:
    """Whether an object that was applied with a uid is not there, or has another uid by now."""
    if code == CONFLICT:
        return "uid mismatch" in message
    return code == INVALID and "metadata.uid: Invalid value" in message


def no_namespace(context: Context, name: str) -> MissingError:
    """The error for a namespace that does not exist."""
    return MissingError(
        f"there is no namespace {name} in context {context}",
        next="raykit up -f SPEC --create-namespace, or name another: --namespace NAME",
    )


def _forbidden(context: Context, message: str) -> ForbiddenError:
    """The error for HTTP 403: with the missing RBAC rule, and a kubectl command that checks it."""
    from raykit.kube.checks import rules

    rule = _RULE.search(message)
    if rule is None:
        return ForbiddenError(
            f"not allowed in context {context}",
            evidence=[message],
            next=f"{kubectl(context.name)} auth can-i --list",
        )
    verb, resource, group = rule["verb"], rule["resource"], rule["group"]
    namespace = rule["namespace"]
    kind = "ClusterRole" if rule["everywhere"] else "Role"
    where = f" in namespace {namespace}" if namespace else ""
    resource_name = f"{resource}.{group}" if group else resource
    return ForbiddenError(
        f"not allowed in context {context}: {verb} {resource}{where}",
        evidence=[
            message,
            f"the rule that is missing, in a {kind}: {rules.line(group, resource, verb)}",
        ],
        next=_doctor(context, namespace)
        if rules.are_checked(group, resource, verb, everywhere=bool(rule["everywhere"]))
        else f"{kubectl(context.name, namespace)} auth can-i {verb} {resource_name}"
        + (" -A" if rule["everywhere"] else ""),
    )


def _doctor(context: Context, namespace: str | None) -> str:
    place = f" -n {namespace}" if namespace else ""
    return f"raykit doctor --context {context.quoted}{place}   (prints all missing rules as a Role)"
