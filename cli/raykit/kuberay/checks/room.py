"""Whether a namespace takes the pods of a RayCluster: by a dry run, and by counting its quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial

from raykit import checks
from raykit.checks import Check
from raykit.errors import MissingError, RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import pods, scheduling
from raykit.kuberay.explaining.refusals import repair_of_refusal, why_refused
from raykit.objects import Object
from raykit.spec import quantity

ADMISSION, QUOTA = "admission", "quota"
EXCEEDED = "exceeded quota"

Amounts = Mapping[str, Decimal]
Group = tuple[str, Object, int]
"""The name of a head or worker group, the template of its pods, and how many there are."""


def groups(cluster: Object) -> list[Group]:
    """The groups of a rendered RayCluster, the head first."""
    spec = cluster["spec"]
    workers = [
        (group["groupName"], group["template"], pods.wanted(group))
        for group in spec.get("workerGroupSpecs", [])
    ]
    return [("head", spec["headGroupSpec"]["template"], 1), *workers]


def admission(connection: Kubernetes, namespace: str, cluster: Object) -> Check:
    """Whether the API server would create a pod of each group. The dry run creates nothing.

    That asks everything that may refuse a pod: Pod Security, quota, limit ranges, webhooks. The
    pods of a cluster of that name that are there already use the quota; it refuses nothing then.
    """
    refusals: list[str] = []
    for name, template, _ in groups(cluster):
        try:
            connection.create(_pod(name, template), namespace, dry_run=True)
        except ForbiddenError as forbidden:
            if "cannot create resource" in " ".join(forbidden.evidence):
                return checks.skipped(ADMISSION, "you may not create pods: no dry run", next="")
            refusals += [f"{name}: {line}" for line in forbidden.evidence]
        except MissingError as absent:
            return checks.skipped(ADMISSION, absent.what)
        except RaykitError as error:
            refusals += [f"{name}: {line}" for line in (error.evidence or (error.what,))]
    if any(EXCEEDED in line for line in refusals) and _is_known(connection, namespace, cluster):
        refusals = [line for line in refusals if EXCEEDED not in line]
    if not refusals:
        return checks.ok(ADMISSION, f"namespace {namespace} takes the Ray pods (dry run)")
    message = "\n".join(refusals)
    what = f"namespace {namespace} refuses the Ray pods: {why_refused(message)}"
    next = repair_of_refusal(message, connection.context, namespace)
    return checks.refused(ADMISSION, what, refusals, next)


def quota(connection: Kubernetes, namespace: str, cluster: Object) -> Check:
    """Whether all pods of a RayCluster fit into the namespace's quotas together.

    The pods of a cluster of that name which are there already count as free.
    """
    try:
        quotas = connection.objects("ResourceQuota", namespace)
        exists = bool(quotas) and _exists(connection, namespace, cluster)
    except ForbiddenError as forbidden:
        return checks.skipped(QUOTA, "the quotas cannot be read", forbidden.evidence)
    if not quotas:
        return checks.ok(QUOTA, f"namespace {namespace} has no quota")
    name = cluster["metadata"]["name"]
    if exists:
        what = f"{name} exists already: its pods count in the quota, and are not counted twice"
        return checks.skipped(QUOTA, what)
    lines = [line for item in quotas for line in short(item, cluster)]
    if not lines:
        names = ", ".join(item["metadata"]["name"] for item in quotas)
        return checks.ok(QUOTA, f"{name} fits into the quota of namespace {namespace}: {names}")
    what = f"{name} does not fit into the quota of namespace {namespace}"
    next = f"ask for less, or: {kubectl(connection.context, namespace)} describe resourcequota"
    return checks.refused(QUOTA, what, lines, next)


def short(resource_quota: Object, cluster: Object) -> Iterator[str]:
    """A line for each amount of which a quota has too little left for a RayCluster."""
    status, spec = resource_quota.get("status") or {}, resource_quota.get("spec") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return  # It counts some pods only: the dry run of each pod asks for those.
    hard = status.get("hard") or spec.get("hard") or {}
    used = status.get("used") or {}
    for name, wanted in _wanted(cluster).items():
        if name not in hard:
            continue
        whole, gone = _parsed(hard[name]), _parsed(used.get(name, "0"))
        if wanted > whole - gone:
            shown = partial(scheduling.shown, name.rpartition(".")[2])
            yield (
                f"{name}: needs {shown(wanted)}, {shown(max(whole - gone, Decimal(0)))} of "
                f"{shown(whole)} is free (quota {resource_quota['metadata']['name']})"
            )


def _is_known(connection: Kubernetes, namespace: str, cluster: Object) -> bool:
    """Whether a cluster exists; False if that may not be read."""
    try:
        return _exists(connection, namespace, cluster)
    except RaykitError:
        return False


def _exists(connection: Kubernetes, namespace: str, cluster: Object) -> bool:
    return connection.get("RayCluster", cluster["metadata"]["name"], namespace) is not None


def _wanted(cluster: Object) -> Amounts:
    """What a RayCluster uses of each thing that a quota can count."""
    total = {"count/rayclusters.ray.io": Decimal(1)}
    for _, template, count in groups(cluster):
        for name, amount in _of_pod(template).items():
            total[name] = total.get(name, Decimal(0)) + amount * count
    return total


def _of_pod(template: Object) -> Amounts:
    requests = scheduling.requests(template)
    limits = scheduling.requests(_with_limits(template))
    pods = {"pods": Decimal(1), "count/pods": Decimal(1)}
    named = {
        f"{kind}.{name}": amounts[name]
        for kind, amounts in (("requests", requests), ("limits", limits))
        for name in amounts
        if name != "pods"
    }
    return {**pods, **named, **{name: requests[name] for name in requests}}


def _with_limits(template: Object) -> Object:
    """The template with its limits in the place of its requests."""
    spec = template["spec"]
    limited = {
        key: [
            {**item, "resources": {"requests": (item.get("resources") or {}).get("limits") or {}}}
            for item in spec.get(key, [])
        ]
        for key in ("containers", "initContainers")
    }
    return {**template, "spec": {**spec, **limited}}


def _parsed(text: object) -> Decimal:
    return quantity.parse(str(text))


def _pod(group: str, template: Object) -> Object:
    """A pod of a group, as KubeRay makes it but for what KubeRay adds."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "generateName": f"raykit-doctor-{group}-"},
        "spec": template["spec"],
    }
