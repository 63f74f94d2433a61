"""What the API server's refusals and silences mean, each told apart."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.kube import contexts

if TYPE_CHECKING:
    import httpx2
    from lightkube.core.exceptions import ApiError

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, INVALID = 401, 403, 404, 409, 422


@contextmanager
def translated(context: str, server: str) -> Iterator[None]:
    """Turn what lightkube raises into raykit's errors."""
    import httpx2
    from lightkube.core.exceptions import ApiError, ConfigError

    try:
        yield
    except ApiError as refused:
        raise of_status(context, refused) from refused
    except httpx2.HTTPError as failed:
        raise of_transport(context, server, failed) from failed
    except (ssl.SSLError, OSError, ConfigError) as wrong:
        raise MissingError(
            f"the kubeconfig's context {context} cannot be used",
            evidence=[str(wrong)],
            next=f"kubectl --context {context} version",
        ) from wrong


def of_transport(context: str, server: str, failed: httpx2.HTTPError) -> KubernetesError:
    """No usable answer: which of the reasons it is."""
    import httpx2

    said = str(failed) or type(failed).__name__
    lowered = said.lower()
    where = f"the API server of context {context} at {server}"
    look = f"kubectl --context {context} version"
    if isinstance(failed, httpx2.TimeoutException):
        what, next = f"{where} did not answer in time", f"is the way there open? {look}"
    elif isinstance(failed, httpx2.HTTPStatusError):
        what, next = _unlike_kubernetes(context, server, failed.response.status_code), look
    elif "certificate" in lowered or "ssl" in lowered:
        what, next = f"{where} cannot be trusted: TLS failed", f"renew its entry: {look}"
    elif "refused" in lowered:
        what, next = f"nothing listens where {where} should be", _restart(context)
    elif "name or service" in lowered or "name resolution" in lowered or "nodename" in lowered:
        what, next = f"the name of {where} cannot be resolved", look
    else:
        what, next = f"{where} cannot be reached", look
    return KubernetesError(what, evidence=[said], next=next)


def _unlike_kubernetes(context: str, server: str, status: int) -> str:
    if status in (UNAUTHORIZED, FORBIDDEN):
        return f"the API server of context {context} does not accept the kubeconfig's credentials"
    return f"what answers at {server} is no Kubernetes API server"


def of_status(context: str, refused: ApiError) -> RaykitError:
    """An answer of the API server that says no."""
    code = refused.status.code or 0
    message = refused.status.message or str(refused)
    if code == UNAUTHORIZED:
        return KubernetesError(
            f"the API server of context {context} does not accept the kubeconfig's credentials",
            evidence=[message],
            next="log in again, then: kubectl auth whoami",
        )
    if code == FORBIDDEN and "exceeded quota" not in message and "violates" not in message:
        return MissingError(
            f"not allowed in context {context}",
            evidence=[message],
            next=f"kubectl --context {context} auth can-i --list",
        )
    if code == CONFLICT:
        return ConflictError(
            "something else owns fields that raykit would set", evidence=message.splitlines()
        )
    if "field not declared in schema" in message:
        return MissingError(
            f"KubeRay of context {context} does not know a field that the spec needs",
            evidence=message.splitlines(),
            next="upgrade KubeRay there, with its CRDs",
        )
    return KubernetesError("Kubernetes refused", evidence=message.splitlines())


def _restart(context: str) -> str:
    return contexts.bring_up(context) or f"kubectl --context {context} version"
