"""Rules for what KubeRay deletes after a job: time to live, and the deletion strategy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from raykit.manifests.judging.rules.values import at, items, mapping, number, text
from raykit.objects import Object
from raykit.spec.problems import Path, Problem

OF_A_CLUSTER = ("DeleteCluster", "DeleteWorkers")
ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
"""The policies in the order in which they must come."""
ENDINGS = ("onSuccess", "onFailure")
STATES = ("jobStatus", "jobDeploymentStatus")


def problems(spec: Object, path: Path) -> Iterator[Problem]:
    """What KubeRay refuses of a job's deletion."""
    shuts_down = at(spec, "shutdownAfterJobFinishes") is True
    if not shuts_down and (number(spec, "ttlSecondsAfterFinished") or 0) > 0:
        yield Problem(
            (*path, "ttlSecondsAfterFinished"), "needs shutdownAfterJobFinishes: true, or be 0"
        )
    strategy = at(spec, "deletionStrategy")
    if isinstance(strategy, dict):
        yield from _strategy(spec, (*path, "deletionStrategy"), strategy, shuts_down)


def _strategy(spec: Object, path: Path, strategy: Object, shuts_down: bool) -> Iterator[Problem]:
    rules = items(strategy, "deletionRules")
    endings = [key for key in ENDINGS if at(strategy, key) is not None]
    if rules and shuts_down:
        yield Problem(
            (*path, "deletionRules"), "have no place beside shutdownAfterJobFinishes: true"
        )
    if rules and endings:
        yield Problem((*path, "deletionRules"), f"have no place beside {' and '.join(endings)}")
    elif rules:
        yield from _rules(spec, (*path, "deletionRules"), rules)
    elif endings:
        yield from _endings(spec, path, strategy, shuts_down)
    else:
        yield Problem(path, "needs deletionRules, or both onSuccess and onFailure")


def _endings(spec: Object, path: Path, strategy: Object, shuts_down: bool) -> Iterator[Problem]:
    for key in ENDINGS:
        here: Path = (*path, key)
        policy = text(strategy, key, "policy")
        if at(strategy, key) is None:
            yield Problem(here, "is required beside the other one")
        elif not policy:
            yield Problem((*here, "policy"), "is required")
        else:
            yield from _policy(spec, (*here, "policy"), policy)
            if shuts_down and policy == "DeleteNone":
                wrong = "DeleteNone contradicts shutdownAfterJobFinishes: true"
                yield Problem((*here, "policy"), wrong)


def _policy(spec: Object, path: Path, policy: str) -> Iterator[Problem]:
    if policy in OF_A_CLUSTER and mapping(spec, "clusterSelector"):
        yield Problem(path, f"{policy} has no place beside clusterSelector")
    elif policy == "DeleteWorkers" and _autoscaled(spec):
        yield Problem(path, f"{policy} has no place beside enableInTreeAutoscaling: true")


def _autoscaled(spec: Object) -> bool:
    return at(spec, "rayClusterSpec", "enableInTreeAutoscaling") is True


def _rules(spec: Object, path: Path, rules: list[tuple[int, Object]]) -> Iterator[Problem]:
    seconds: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    for place, rule in rules:
        here: Path = (*path, place)
        policy = text(rule, "policy")
        wrong = [*_condition(here, rule), *_policy(spec, (*here, "policy"), policy)]
        yield from wrong
        if wrong:
            continue
        key = next(state for state in STATES if text(rule, "condition", state))
        state = (key, text(rule, "condition", key))
        same = seconds.setdefault(state, {})
        if policy in same:
            yield Problem(here, f"says {policy} for {key} {state[1]} a second time")
        else:
            same[policy] = (number(rule, "condition", "ttlSeconds") or 0, place)
    for same in seconds.values():
        yield from _order(path, same)


def _condition(path: Path, rule: Object) -> Iterator[Problem]:
    given = [key for key in STATES if text(rule, "condition", key)]
    if len(given) != 1:
        yield Problem((*path, "condition"), f"needs exactly one of {', '.join(STATES)}")
    ttl = number(rule, "condition", "ttlSeconds")
    if ttl is not None and ttl < 0:
        yield Problem((*path, "condition", "ttlSeconds"), f"{ttl} is negative")


def _order(path: Path, same: dict[str, tuple[int, int]]) -> Iterator[Problem]:
    """Workers go first, then the cluster, then the job: later steps cannot be sooner."""
    given = [policy for policy in ORDER if policy in same]
    for earlier, later in pairwise(given):
        (least, _), (ttl, place) = same[earlier], same[later]
        if ttl < least:
            wrong = f"{later} after {ttl} s is before {earlier} after {least} s"
            yield Problem((*path, place, "condition", "ttlSeconds"), wrong)
