"""From a field of a rendered manifest back to the part of the spec that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raykit.manifests.judging.rules.values import at
from raykit.objects import Object
from raykit.spec.model import ClusterSpec, Pods
from raykit.spec.problems import Path

SAME_NAME = ("affinity", "nodeSelector", "tolerations", "rayStartParams", "resources")
_OF_CLUSTER = {
    "autoscalerOptions": "autoscaling",
    "enableInTreeAutoscaling": "autoscaling",
    "authOptions": "auth",
    "rayVersion": "rayVersion",
    "upgradeStrategy": "upgrade",
    "suspend": "suspend",
}
_TEMPLATE, _OWN_CLUSTER = "template", "rayClusterSpec"


def path(spec: ClusterSpec, manifest: Object, field: Path) -> Path:
    """The path in the spec; an empty one where no single part gives the field.

    field: a path of the manifest of a RayCluster or RayJob that the spec renders to.
    """
    if field[:2] == ("metadata", "name"):
        return ("name",)
    if manifest["kind"] == "RayJob" and field[1:2] != (_OWN_CLUSTER,):
        return _job(spec, manifest)
    body = field[2:] if manifest["kind"] == "RayJob" else field[1:]
    if body[:1] == ("headGroupSpec",):
        return _pods(("head",), spec.head, manifest, field, body[1:])
    if len(body) > 1 and body[0] == "workerGroupSpecs" and isinstance(body[1], int):
        group = spec.workers[body[1]]
        return _pods(("workers", body[1]), group, manifest, field, body[2:])
    known = _OF_CLUSTER.get(str(body[0])) if body else None
    return (known,) if known else ()


def _job(spec: ClusterSpec, manifest: Object) -> Path:
    name = str(manifest["metadata"]["name"]).removeprefix(f"{spec.name}-")
    named = [place for place, job in enumerate(spec.jobs) if name.rpartition("-")[0] == job.name]
    return ("jobs", *named[:1])


def _pods(base: Path, pods: Pods, manifest: Object, field: Path, inner: Path) -> Path:
    """The part of a group: its patch, a field of the same name, a container, or the group."""
    if inner[:1] != (_TEMPLATE,):
        return (*base, *inner) if inner[:1] and inner[0] in SAME_NAME else base
    template = at(manifest, *field[: len(field) - len(inner) + 1])
    in_patch = _followed(pods.patch, template, inner[1:])
    if len(in_patch) >= max(2, len(inner) - 2):
        return (*base, "patch", *in_patch)
    return (*base, *_in_pod(inner[2:]))


def _in_pod(inner: Path) -> Path:
    """A path below a pod's spec, as the spec names it; empty if raykit itself writes it."""
    key, rest = inner[:1], inner[1:]
    if key and key[0] in SAME_NAME:
        return inner
    if key == ("initContainers",) and rest:
        return ("initContainers", rest[0], "spec", *rest[1:])
    # The first container is Ray's; the spec's own come after it.
    if key == ("containers",) and rest and isinstance(rest[0], int) and rest[0] > 0:
        return ("sidecars", rest[0] - 1, "spec", *rest[1:])
    return ()


def _followed(patch: Any, value: Any, path: Path) -> Path:
    """How far a patch goes along a path of the value that it was merged into."""
    taken: list[str | int] = []
    for part in path:
        if isinstance(part, int):
            if not isinstance(patch, Sequence) or isinstance(patch, str):
                break
            value = at(value, part)
            place = _item(patch, value, part)
            if place is None:
                break
            patch = patch[place]
            taken.append(place)
        elif isinstance(patch, Mapping) and part in patch:
            patch, value = patch[part], at(value, part)
            taken.append(part)
        else:
            break
    return tuple(taken)


def _item(patch: Sequence[Any], value: Any, place: int) -> int | None:
    """The item of a patch's list that became an item of the whole: by name, else by place."""
    name = value.get("name") if isinstance(value, Mapping) else None
    named = [i for i, item in enumerate(patch) if isinstance(item, Mapping) and "name" in item]
    if name is None or not named:
        return place if place < len(patch) else None
    return next((i for i in named if patch[i]["name"] == name), None)
