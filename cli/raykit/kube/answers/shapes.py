"""The fields of Kubernetes objects that raykit reads, with their types.

Code may rely on what `checked` returns: a field is absent or has its type, and is never null.
Fields that are not listed here are not checked.
"""

from __future__ import annotations

from typing import Any

from raykit.fields import (
    FIELDS,
    FLAG,
    TEXT,
    TEXTS,
    Leaf,
    ListOf,
    MalformedError,
    MapOf,
    Required,
    Shape,
    checked,
)
from raykit.objects import seconds
from raykit.spec import names, quantity

__all__ = ["SHAPES", "MalformedError", "checked"]


def _quantity(value: object) -> None:
    quantity.parse(str(value))


def _time(value: Any) -> None:
    seconds(value)


NAME = Leaf((str,), "a name", names.object_name)
"""Error messages put names into commands to paste: accept only valid Kubernetes names."""
NUMBER = Leaf((int,), "a whole number")
TIME = Leaf((str,), "a time", _time)
QUANTITY = Leaf((str, int), "a quantity", _quantity)
NAME_OR_EMPTY = Leaf((str,), "a name", lambda text: text and names.object_name(text))

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
