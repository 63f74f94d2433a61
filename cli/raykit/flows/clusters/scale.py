"""`raykit scale`: change the number of pods of worker groups in a cluster that runs."""

from __future__ import annotations

import copy
import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raykit.errors import ConflictError, UsageError
from raykit.flows.clusters import applying, consent
from raykit.flows.clusters.applying import Plan
from raykit.flows.targets.where import Where
from raykit.kube.connection import FIELD_MANAGER, connect
from raykit.kube.reference import narrowed, parse
from raykit.kuberay import choosing, operator, raycluster
from raykit.kuberay.raycluster import Cluster
from raykit.manifests import change
from raykit.objects import Object, applied_by, owners
from raykit.progress import Progress

MOST = 2**31 - 1
"""The largest number of replicas that KubeRay's CRD takes."""

_NUMBER = re.compile(r"[0-9]{1,10}")
GROUPS = ("spec", "workerGroupSpecs")


@dataclass(frozen=True)
class Request:
    """The arguments of `raykit scale`.

    where: its `on` names the cluster. numbers: pods by worker group. timeout: seconds until the
    cluster is ready. confirm: asks the user, as in `up`.
    """

    where: Where
    numbers: Mapping[str, int]
    timeout: float
    confirm: consent.Confirm


def numbers(words: Sequence[str]) -> dict[str, int]:
    """Numbers of pods by worker group, from words such as `workers=4`.

    Errors: UsageError (2) for a word of another form, and for a group that is named twice.
    """
    wanted: dict[str, int] = {}
    for word in words:
        name, _, text = word.partition("=")
        if not (name and _NUMBER.fullmatch(text) and int(text) <= MOST):
            raise UsageError(f"{word!r} is not GROUP=N", next="raykit scale CLUSTER workers=4")
        if name in wanted:
            raise UsageError(f"the group {name} is named twice", next="name each group once")
        wanted[name] = int(text)
    return wanted


def scale(request: Request, progress: Progress) -> Cluster:
    """Give worker groups of one of raykit's clusters new numbers of pods; wait until it is ready.

    Errors: UsageError (2) for a group that the cluster does not have, and if the user does not
    confirm; MissingError (4) if there is no such cluster; KubernetesError (5) if it does not become
    ready; ConflictError (8) if raykit did not make it, or if somebody else owns the numbers: Ray's
    autoscaler, Argo CD, Flux, Helm, kubectl; or if the cluster is deleted meanwhile.
    """
    where = request.where
    reference = narrowed(parse(where.on or "", "CLUSTER"), where.context, where.namespace)
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = connect(reference.context)
        operator.require(connection)
        namespace = reference.namespace or connection.namespace
        choosing.find_one(connection, reference.name, namespace)
    lock = (connection, reference.name, namespace, request.timeout, progress)
    with consent.one_at_a_time(*lock):
        cluster = choosing.find_one(connection, reference.name, namespace)
        wanted = scaled(_ours(cluster), request.numbers)
        after = connection.apply(wanted, dry_run=True)
        changes = change.between(cluster.item, after)
        to_do = Plan([wanted], changes, uid=cluster.item["metadata"].get("uid"))
        if not to_do.change:
            progress.note(f"{cluster.where} has these numbers: nothing to change")
            return raycluster.wait_ready(cluster, progress, request.timeout)
        context = consent.describe(connection)
        consent.agree_to(to_do.change, cluster, context, request.confirm, progress)
        consent.unchanged(cluster)
        with progress.step("apply", f"RayCluster {cluster.name} applied"):
            applied = applying.apply(connection, to_do)
        return raycluster.wait_ready(applied, progress, request.timeout)


def scaled(item: Object, numbers: Mapping[str, int]) -> Object:
    """A RayCluster with other numbers of pods. The most that a group may have grows with them.

    Errors: UsageError (2) for a group that it does not have, or fewer pods than the group's
    `minReplicas`.
    """
    item = copy.deepcopy(item)
    groups = {group["groupName"]: group for group in item["spec"].get("workerGroupSpecs") or []}
    for name, number in numbers.items():
        if name not in groups:
            raise _no_group(item["metadata"]["name"], name, list(groups))
        group = groups[name]
        least = group.get("minReplicas", 0)
        if number < least:
            raise UsageError(
                f"the group {name} keeps at least {least} pods",
                next="lower minReplicas in the spec",
            )
        group["replicas"] = number
        group["maxReplicas"] = max(number, group.get("maxReplicas", number))
    return item


def _ours(cluster: Cluster) -> Object:
    """The part of a RayCluster that raykit applied.

    Errors: ConflictError (8) if the numbers of pods are not raykit's to change.
    """
    if cluster.item["spec"].get("enableInTreeAutoscaling"):
        spec = shlex.join(["raykit", "up", "-f", "SPEC", "--context", cluster.connection.context])
        raise ConflictError(
            f"Ray's autoscaler decides how many workers {cluster.where} has",
            evidence=["enableInTreeAutoscaling is set: a number set by hand does not last"],
            next=f"change minReplicas and maxReplicas in the spec, then {spec}",
        )
    choosing.refuse_applied_from_elsewhere(cluster)
    item = applied_by(cluster.item, FIELD_MANAGER)
    others = sorted(owners(cluster.item, *GROUPS) - {FIELD_MANAGER})
    if item is None or others:
        raise ConflictError(
            f"the worker groups of {cluster.where} were not applied by raykit alone",
            evidence=[f"field manager: {name}" for name in others],
            next="change the number where it is applied from, such as its manifest for kubectl",
        )
    return item


def _no_group(cluster: str, name: str, groups: Sequence[str]) -> UsageError:
    close = difflib.get_close_matches(name, groups, 1)
    return UsageError(
        f"{cluster} has no worker group {name}",
        evidence=[f"its groups: {', '.join(groups)}" if groups else "it has none: the head alone"],
        next=f"did you mean {close[0]}?" if close else "name one of its groups, or edit the spec",
    )
