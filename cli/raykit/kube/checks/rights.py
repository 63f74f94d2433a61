"""Ask the API server who we are and which of raykit's RBAC rules we have."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from raykit import checks
from raykit.checks import Check
from raykit.errors import RaykitError
from raykit.kube.checks.rules import Rule
from raykit.kube.connection import Kubernetes

NAME = "rights"
AT_ONCE = 8
ROLE_HINT = "ask an administrator to apply the roles that raykit doctor prints"


@dataclass(frozen=True)
class Rights:
    """user: as the API server calls us. missing: the rules that the user lacks."""

    user: str
    missing: Sequence[Rule] = ()


def whoami(connection: Kubernetes) -> str:
    """The user's name as the API server knows it; empty if it does not say."""
    try:
        review = connection.create({"kind": "SelfSubjectReview"})
    except RaykitError:
        # Kubernetes below 1.28 does not have this API.
        return ""
    info = (review.get("status") or {}).get("userInfo") or {}
    return str(info.get("username", ""))


def read(connection: Kubernetes, rules: Sequence[Rule], namespace: str) -> Rights:
    """Which of these rules the user lacks: one SelfSubjectAccessReview for each verb."""
    wanted = [(rule, verb) for rule in rules for verb in rule.verbs]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        user = pool.submit(whoami, connection)
        allowed = list(pool.map(lambda one: _may(connection, one[0], one[1], namespace), wanted))
    refused = {pair for pair, granted in zip(wanted, allowed, strict=True) if not granted}
    lacking = [
        replace(rule, verbs=tuple(verb for verb in rule.verbs if (rule, verb) in refused))
        for rule in rules
    ]
    return Rights(user.result(), [rule for rule in lacking if rule.verbs])


def judge(rights: Rights, namespace: str) -> Check:
    """Whether the rights suffice in a namespace."""
    needed = [rule for rule in rights.missing if rule.needed]
    evidence = [f"{rule}: {rule.use}" for rule in rights.missing]
    who = rights.user or "the user of this context"
    if needed:
        what = f"{who} lacks rights in namespace {namespace}"
        return checks.missing(NAME, what, evidence, ROLE_HINT)
    if evidence:
        what = f"{who} may run everything, but raykit will explain less"
        return checks.warning(NAME, what, evidence, ROLE_HINT)
    return checks.ok(NAME, f"{who} has all the rights that raykit uses in namespace {namespace}")


def _may(connection: Kubernetes, rule: Rule, verb: str, namespace: str) -> bool:
    resource, _, subresource = rule.resource.partition("/")
    attributes = {
        "group": rule.group,
        "resource": resource,
        "subresource": subresource,
        "verb": verb,
        **({} if rule.everywhere else {"namespace": namespace}),
    }
    review = connection.create(
        {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    )
    return bool((review.get("status") or {}).get("allowed"))
