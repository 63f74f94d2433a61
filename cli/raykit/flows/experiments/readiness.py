"""Makes arms ready: brings up those with a spec, and asks all for their task CPUs and images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from raykit.errors import RecordError
from raykit.flows import known_jobs
from raykit.flows.clusters import down, up
from raykit.flows.experiments.request import Arm, Request
from raykit.flows.targets import choosing
from raykit.flows.targets.where import Where
from raykit.kube.reference import Reference
from raykit.progress import Progress


@dataclass(frozen=True)
class Ready:
    """An arm that is up. p: its task CPUs; images: their digests, if they are known."""

    where: Where
    p: float
    on: str
    images: tuple[str, ...] = ()


def ready(arm: Arm, request: Request, progress: Progress) -> Ready:
    """Bring the arm up if it has a spec, and ask how many task CPUs it offers."""
    where = arm.where
    if arm.spec is not None:
        where = _bring_up(arm, request, progress)
    return asked(arm.name, where, request, progress)


def _bring_up(arm: Arm, request: Request, progress: Progress) -> Where:
    assert arm.spec is not None
    cluster = up.up(
        up.Request(
            arm.spec,
            context=arm.where.context,
            create_namespace=request.create_namespace,
            confirm=request.confirm,
        ),
        progress,
    )
    return replace(arm.where, on=cluster.where, context=None, namespace=None)


def seen(arm: Arm, request: Request, progress: Progress) -> Ready:
    """What is known of an arm without changing anything."""
    if arm.spec is not None:
        p = request.p.get(arm.name, arm.spec.task_cpus)
        return Ready(arm.where, float(p), arm.spec.name)
    return asked(arm.name, arm.where, request, progress)


def asked(name: str, where: Where, request: Request, progress: Progress) -> Ready:
    """Ask the head for its task CPUs, and the cluster for its images."""
    target = choosing.choose(where)
    if target.ends_with_job:
        p = request.p.get(name, float(os.cpu_count() or 1))
        return Ready(where, float(p), "local")
    with known_jobs.connect(where, progress) as head:
        offered = sum(_cpus(node) for node in head.api.nodes() if node["state"] == "ALIVE")
        pods = head.target.observe().get("pods") or []
    digests = {str(pod["image_digest"]) for pod in pods if pod.get("image_digest")}
    p = request.p.get(name, offered)
    return Ready(where, float(p), str(where.word or name), tuple(sorted(digests)))


def _cpus(node: Mapping[str, Any]) -> float:
    return float((node.get("resources_total") or {}).get("CPU", 0.0))


def refuse_unlike_images(arms: Mapping[str, Ready]) -> None:
    digests = {arm.images for arm in arms.values() if arm.images}
    if len(digests) > 1:
        raise RecordError(
            "the arms run different images, so their times cannot be compared",
            evidence=[f"{name}: {', '.join(arm.images)}" for name, arm in arms.items()],
            next="bring all of them up with one image: raykit up -f SPEC",
        )


def renewed(name: str, request: Request, progress: Progress) -> Where:
    """A cluster that was just made: the one of the arm's spec is ended and brought up again."""
    arm = next(each for each in request.arms if each.name == name)
    if arm.spec is None:
        return arm.where
    spec = arm.spec
    reference = Reference(spec.name, spec.namespace, arm.where.context)
    down.of_reference(reference, request.confirm, progress)
    return _bring_up(arm, request, progress)
