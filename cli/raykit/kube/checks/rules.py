"""The RBAC rules that raykit uses in a context, and the Role that grants those that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from raykit.objects import Object, hash_of

CHANGES = ("get", "list", "create", "patch", "delete")
ROLE_NAME = "raykit"
SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Rule:
    """Verbs on one resource.

    resource: with its subresource, such as `pods/log`. everywhere: in all namespaces, or outside
    of any. use: what raykit does with it. needed: whether a command fails without it; otherwise
    raykit only explains less.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    use: str
    everywhere: bool = False
    needed: bool = True

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{', '.join(self.verbs)} {name}{' in all namespaces' if self.everywhere else ''}"

    def as_dict(self) -> Object:
        """The rule as an entry of a Role's `rules`."""
        return {
            "apiGroups": [self.group],
            "resources": [self.resource],
            "verbs": list(self.verbs),
        }


ALWAYS = (
    Rule("ray.io", "rayclusters", CHANGES, "up, down, status, submit"),
    Rule("", "namespaces", ("get",), "up: whether the namespace exists"),
    Rule("", "pods", ("list",), "up, down, status: what becomes of the Ray pods"),
    Rule("", "secrets", ("get",), "submit: the token of the cluster"),
    Rule("", "services/proxy", ("get", "create", "update"), "submit, ps, logs, stop: the Jobs API"),
    Rule("", "events", ("list",), "why pods do not start", needed=False),
    Rule("", "pods/log", ("get",), "why a container ends", needed=False),
    Rule(
        "",
        "pods",
        ("watch", "delete"),
        "up notices changes at once; down ends sooner",
        needed=False,
    ),
    Rule("ray.io", "rayclusters", ("watch",), "up notices changes at once", needed=False),
    Rule("", "nodes", ("list",), "why no node takes a pod", everywhere=True, needed=False),
    Rule(
        "apps",
        "deployments",
        ("list",),
        "whether KubeRay's operator runs",
        everywhere=True,
        needed=False,
    ),
)
"""What raykit uses in every context."""

OF_KINDS = {
    "RayJob": Rule("ray.io", "rayjobs", CHANGES, "jobs of the spec"),
    "NetworkPolicy": Rule("networking.k8s.io", "networkpolicies", CHANGES, "networkPolicy"),
    "PodDisruptionBudget": Rule("policy", "poddisruptionbudgets", CHANGES, "disruptionBudget"),
    "PodMonitor": Rule("monitoring.coreos.com", "podmonitors", CHANGES, "monitoring"),
}
"""What raykit uses where a spec renders an object of this kind."""

_APPLIES = ("get", "create", "patch")
OF_UP = {
    "rayclusters": _APPLIES,
    "pods": ("list",),
    **{rule.resource: _APPLIES for rule in OF_KINDS.values()},
}
"""The verbs without which `raykit up` fails, by resource."""

OF_SUBMIT = {
    "rayclusters": ("get",),
    "rayjobs": ("get", "create"),
    "secrets": ("get",),
    "services/proxy": ("get", "create", "update"),
}
"""The same for `raykit submit`."""


def of_kinds(kinds: Iterable[str]) -> list[Rule]:
    """The rules for a spec that renders objects of these kinds."""
    return [*ALWAYS, *(OF_KINDS[kind] for kind in OF_KINDS if kind in set(kinds))]


def only(wanted: Iterable[Rule], verbs: Mapping[str, Sequence[str]]) -> list[Rule]:
    """Those rules without which one command fails. verbs: its verbs by resource."""
    return [
        replace(rule, verbs=tuple(verbs[rule.resource]))
        for rule in wanted
        if rule.needed and rule.resource in verbs
    ]


def are_checked(group: str, resource: str, verb: str, *, everywhere: bool) -> bool:
    """Whether `raykit doctor` checks this rule."""
    return any(
        (rule.group, rule.resource, rule.everywhere) == (group, resource, everywhere)
        and verb in rule.verbs
        for rule in of_kinds(OF_KINDS)
    )


def line(group: str, resource: str, verb: str) -> str:
    """One rule on one line, as an error message shows it."""
    return f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'


def roles(rules: Sequence[Rule], namespace: str, user: str) -> list[Object]:
    """The roles that grant these rules, and the bindings that give them to a user.

    A Role for what is in the namespace, a ClusterRole for the rest; each only if it has rules.
    Their name has a hash of the rules and the user: applying them replaces no earlier grant.
    """
    objects: list[Object] = []
    for everywhere in (False, True):
        granted = [rule.as_dict() for rule in rules if rule.everywhere is everywhere]
        if granted:
            objects += _role(granted, None if everywhere else namespace, user)
    return objects


def _role(rules: list[Object], namespace: str | None, user: str) -> list[Object]:
    kind = "Role" if namespace else "ClusterRole"
    version = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    place = {"namespace": namespace} if namespace else {}
    name = f"{ROLE_NAME}-{hash_of({'rules': rules, 'user': user}, 8)}"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return [
        {**version, "kind": kind, "metadata": {"name": name, **place}, "rules": rules},
        {
            **version,
            "kind": f"{kind}Binding",
            "metadata": {"name": name, **place},
            "roleRef": reference,
            "subjects": [_subject(user)],
        },
    ]


def _subject(user: str) -> Object:
    if user.startswith(SERVICE_ACCOUNT):
        namespace, _, name = user.removeprefix(SERVICE_ACCOUNT).partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
