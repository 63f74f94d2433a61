"""The fields of Kubernetes objects that raykit reads, with their types.

Code may rely on what `checked` returns: a field is absent or has its type, and is never null.
Fields that are not listed here are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raykit.objects import Object, seconds
from raykit.spec import names, quantity

LONGEST_PATH = 200


class MalformedError(ValueError):
    """An object that no API server gives; the text names the wrong field."""


@dataclass(frozen=True)
class Leaf:
    """A value of one of these types. parse: raises ValueError for values that it refuses."""

    types: tuple[type, ...]
    name: str
    parse: Any = None


@dataclass(frozen=True)
class ListOf:
    """A list whose items have one shape."""

    item: Any


@dataclass(frozen=True)
class MapOf:
    """A mapping from any text to values of one shape."""

    value: Any


@dataclass(frozen=True)
class Required:
    """A field that must be present."""

    shape: Any


Shape = Leaf | ListOf | MapOf | Required | Mapping[str, Any]


def _quantity(value: object) -> None:
    quantity.parse(str(value))


def _time(value: Any) -> None:
    seconds(value)


TEXT = Leaf((str,), "a text")
NAME = Leaf((str,), "a name", names.object_name)
"""Error messages put names into commands to paste: accept only valid Kubernetes names."""
NUMBER = Leaf((int,), "a whole number")
FLAG = Leaf((bool,), "true or false")
TIME = Leaf((str,), "a time", _time)
QUANTITY = Leaf((str, int), "a quantity", _quantity)
NAME_OR_EMPTY = Leaf((str,), "a name", lambda text: text and names.object_name(text))
TEXTS = ListOf(TEXT)
FIELDS = Leaf((dict,), "a set of fields")

METADATA = {
    "name": Required(NAME),
    "namespace": TEXT,
    "uid": TEXT,
    "generation": NUMBER,
    "creationTimestamp": TIME,
    "deletionTimestamp": TIME,
    "deletionGracePeriodSeconds": NUMBER,
    "labels": MapOf(TEXT),
    "annotations": MapOf(TEXT),
    "ownerReferences": ListOf({"kind": Required(TEXT), "name": Required(TEXT)}),
    "managedFields": ListOf(
        {"manager": TEXT, "operation": TEXT, "subresource": TEXT, "time": TIME, "fieldsV1": FIELDS}
    ),
}
NAMESPACED = {**METADATA, "namespace": Required(NAME)}
CONDITIONS = ListOf(
    {
        "type": Required(TEXT),
        "status": Required(TEXT),
        "reason": TEXT,
        "message": TEXT,
        "lastTransitionTime": TIME,
    }
)
TOLERATIONS = ListOf(dict.fromkeys(("key", "operator", "value", "effect"), TEXT))
RESOURCES = {"requests": MapOf(QUANTITY), "limits": MapOf(QUANTITY)}
CONTAINER = {
    "name": Required(TEXT),
    "image": TEXT,
    "args": TEXTS,
    "resources": RESOURCES,
    "restartPolicy": TEXT,
}
CONTAINERS = ListOf(CONTAINER)
ENDED = {
    "exitCode": NUMBER,
    "reason": TEXT,
    "message": TEXT,
    **dict.fromkeys(("startedAt", "finishedAt"), TIME),
}
STATE = {
    "waiting": {"reason": TEXT, "message": TEXT},
    "running": {"startedAt": TIME},
    "terminated": ENDED,
}
STATUSES = ListOf(
    {
        "name": Required(TEXT),
        "image": TEXT,
        "imageID": TEXT,
        "restartCount": NUMBER,
        "state": STATE,
        "lastState": STATE,
    }
)
POD_SPEC = {
    "nodeName": TEXT,
    "nodeSelector": MapOf(TEXT),
    "tolerations": TOLERATIONS,
    "containers": CONTAINERS,
    "initContainers": CONTAINERS,
    "overhead": MapOf(QUANTITY),
}
TEMPLATE = {"spec": {**POD_SPEC, "containers": Required(CONTAINERS)}}
GROUP = {"template": Required({**TEMPLATE, "spec": Required(TEMPLATE["spec"])})}

NODE_INFO = dict.fromkeys(("bootID", "machineID", "architecture", "kubeletVersion"), TEXT)
REPLICAS = dict.fromkeys(("replicas", "minReplicas", "maxReplicas", "numOfHosts"), NUMBER)

MOUNTED = {
    **POD_SPEC,
    "containers": ListOf(
        {**CONTAINER, "volumeMounts": ListOf(dict.fromkeys(("name", "mountPath", "subPath"), TEXT))}
    ),
    "volumes": ListOf({"name": TEXT, "configMap": {"name": NAME}}),
}

SHAPES: dict[str, Shape] = {
    "ClusterQueue": {"metadata": Required(METADATA), "status": {"conditions": CONDITIONS}},
    "ConfigMap": {"metadata": Required(METADATA), "data": MapOf(TEXT)},
    "CustomResourceDefinition": {
        "metadata": Required(METADATA),
        "spec": {"versions": ListOf({"name": Required(TEXT), "schema": MapOf({})})},
    },
    "Deployment": {
        "metadata": Required(NAMESPACED),
        "spec": {"replicas": NUMBER, "template": {"spec": MOUNTED}},
        "status": {
            "observedGeneration": NUMBER,
            "updatedReplicas": NUMBER,
            "conditions": CONDITIONS,
        },
    },
    "Event": {
        "metadata": Required(METADATA),
        "type": TEXT,
        "reason": TEXT,
        "message": TEXT,
        **dict.fromkeys(("lastTimestamp", "eventTime"), TIME),
        "series": {"lastObservedTime": TIME},
        "involvedObject": {"uid": TEXT, "name": TEXT, "kind": TEXT},
    },
    "LocalQueue": {
        "metadata": Required(NAMESPACED),
        "spec": {"clusterQueue": NAME},
        "status": {"conditions": CONDITIONS},
    },
    "PendingWorkloads": {
        "items": ListOf({"metadata": Required(METADATA), "positionInLocalQueue": NUMBER}),
    },
    "Metadata": {"metadata": Required(METADATA)},
    "Namespace": {"metadata": Required(METADATA)},
    "NetworkPolicy": {"metadata": Required(NAMESPACED)},
    "Node": {
        "metadata": Required(METADATA),
        "spec": {
            "unschedulable": FLAG,
            "taints": ListOf({"key": Required(TEXT), "value": TEXT, "effect": Required(TEXT)}),
        },
        "status": {
            "allocatable": MapOf(QUANTITY),
            "conditions": CONDITIONS,
            "nodeInfo": NODE_INFO,
        },
    },
    "Pod": {
        "metadata": Required(NAMESPACED),
        "spec": Required({**POD_SPEC, "containers": Required(CONTAINERS)}),
        "status": {
            "phase": TEXT,
            "reason": TEXT,
            "message": TEXT,
            "podIP": TEXT,
            "conditions": CONDITIONS,
            "containerStatuses": STATUSES,
            "initContainerStatuses": STATUSES,
        },
    },
    "RayCluster": {
        "metadata": Required(NAMESPACED),
        "spec": Required(
            {
                "rayVersion": TEXT,
                "suspend": FLAG,
                "enableInTreeAutoscaling": FLAG,
                "authOptions": {
                    "mode": TEXT,
                    "secretName": NAME_OR_EMPTY,
                    "enableK8sTokenAuth": FLAG,
                },
                "upgradeStrategy": {"type": TEXT},
                "headGroupSpec": Required(GROUP),
                "workerGroupSpecs": ListOf(
                    {
                        **GROUP,
                        "groupName": Required(TEXT),
                        **REPLICAS,
                        "suspend": FLAG,
                    }
                ),
            }
        ),
        "status": {
            "state": TEXT,
            "reason": TEXT,
            "observedGeneration": NUMBER,
            "conditions": CONDITIONS,
            "head": {"serviceName": NAME_OR_EMPTY, "podName": TEXT},
        },
    },
    "PodDisruptionBudget": {"metadata": Required(NAMESPACED)},
    "PodMonitor": {"metadata": Required(NAMESPACED)},
    "RayJob": {
        "metadata": Required(NAMESPACED),
        "spec": {
            "entrypoint": TEXT,
            "submissionMode": TEXT,
            "rayClusterSpec": {"rayVersion": TEXT},
        },
        "status": {
            **dict.fromkeys(("jobId", "jobStatus", "jobDeploymentStatus", "reason"), TEXT),
            "message": TEXT,
            "rayClusterName": NAME_OR_EMPTY,
            **dict.fromkeys(("startTime", "endTime"), TIME),
            "rayJobInfo": dict.fromkeys(("startTime", "endTime"), TIME),
        },
    },
    "RayService": {"metadata": Required(NAMESPACED)},
    "ResourceQuota": {
        "metadata": Required(NAMESPACED),
        "spec": {"hard": MapOf(QUANTITY)},
        "status": {"hard": MapOf(QUANTITY), "used": MapOf(QUANTITY)},
    },
    "Secret": {"metadata": METADATA, "data": MapOf(TEXT)},
    "Workload": {"metadata": Required(NAMESPACED), "status": {"conditions": CONDITIONS}},
    "SelfSubjectAccessReview": {"status": Required({"allowed": Required(FLAG)})},
    "SelfSubjectReview": {"status": {"userInfo": {"username": TEXT}}},
}


def checked(value: Any, shape: Shape, path: str) -> Any:
    """The value without nulls. Errors: MalformedError with its path if the shape is wrong."""
    if isinstance(shape, Required):
        return checked(value, shape.shape, path)
    if isinstance(shape, Leaf):
        return _checked_leaf(value, shape, path)
    if isinstance(shape, ListOf):
        if not isinstance(value, list):
            raise MalformedError(_says(path, "a list", value))
        return [checked(item, shape.item, f"{path}[{at}]") for at, item in enumerate(value)]
    if not isinstance(value, dict):
        raise MalformedError(_says(path, "an object", value))
    if isinstance(shape, MapOf):
        return {
            key: checked(item, shape.value, f"{path}.{key}")
            for key, item in value.items()
            if item is not None
        }
    return _checked_object(value, shape, path)


def _checked_object(value: Object, shape: Mapping[str, Any], path: str) -> Object:
    result = {key: item for key, item in value.items() if item is not None}
    for key, inner in shape.items():
        if key in result:
            result[key] = checked(result[key], inner, f"{path}.{key}")
        elif isinstance(inner, Required):
            raise MalformedError(f"{path[-LONGEST_PATH:]}.{key} is missing")
    return result


def _checked_leaf(value: Any, leaf: Leaf, path: str) -> Any:
    is_flag = isinstance(value, bool)
    if not isinstance(value, leaf.types) or (is_flag and bool not in leaf.types):
        raise MalformedError(_says(path, leaf.name, value))
    if leaf.parse is not None:
        try:
            leaf.parse(value)
        except (ValueError, OverflowError, OSError) as wrong:
            raise MalformedError(_says(path, leaf.name, value)) from wrong
    return value


def _says(path: str, wanted: str, value: object) -> str:
    return f"{path[-LONGEST_PATH:]} is not {wanted}: {str(value)[:80]!r}"
