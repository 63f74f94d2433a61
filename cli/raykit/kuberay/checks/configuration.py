"""The file that an operator (KubeRay's, Kueue) is configured by, if its arguments name one."""

from __future__ import annotations

import yaml

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kuberay.checks import arguments
from raykit.objects import Object

WATCHED = "watchNamespace"


def watched(connection: Kubernetes, deployment: Object) -> list[str] | None:
    """The namespaces that the operator watches, empty for all; None if that cannot be found out.

    With `--config`, the operator reads everything from that file.
    """
    names = arguments.watched(deployment)
    if names is not None:
        return names
    content = read(connection, deployment)
    if content is None:
        return None
    text = content.get(WATCHED) or ""
    # A text: the aliases of somebody else's YAML could make anything else as large as they like.
    return arguments.names(text) if isinstance(text, str) else None


def read(connection: Kubernetes, deployment: Object) -> Object | None:
    """The content of the configuration file; None if it is in no ConfigMap that we may read."""
    place = source(deployment)
    if place is None:
        return None
    name, key = place
    try:
        config_map = connection.get("ConfigMap", name, deployment["metadata"]["namespace"])
        content = yaml.safe_load(((config_map or {}).get("data") or {}).get(key, ""))
    except (RaykitError, yaml.YAMLError, RecursionError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def source(deployment: Object) -> tuple[str, str] | None:
    """The ConfigMap and its key that hold the file of `--config`; None if no ConfigMap does."""
    path = arguments.value(arguments.arguments(deployment), arguments.CONFIG)
    spec = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    config_maps = {
        volume["name"]: volume["configMap"]["name"]
        for volume in spec.get("volumes", [])
        if "name" in volume and "name" in (volume.get("configMap") or {})
    }
    folder, _, key = (path or "").rpartition("/")
    containers = spec.get("containers") or [{}]
    for mount in containers[0].get("volumeMounts", []):
        if mount.get("name") not in config_maps:
            continue
        if mount.get("mountPath", "").rstrip("/") == folder:
            return config_maps[mount["name"]], key
        if mount.get("mountPath") == path and "subPath" in mount:  # one file alone
            return config_maps[mount["name"]], mount["subPath"]
    return None
