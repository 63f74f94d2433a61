"""Make the schema of the Helm chart's values from the spec's model: the core of the spec.

Helm up to 3.17 knows no draft after 07, and 3.18.5 refuses remote references. The schema therefore
is draft 07 with local definitions only.
"""

from __future__ import annotations

import json
from typing import Any

from raykit.spec import reference

DRAFT = "http://json-schema.org/draft-07/schema#"
CLUSTER_KEYS = (
    "image",
    "imagePullPolicy",
    "pullSecrets",
    "rayVersion",
    "kuberay",
    "upgrade",
    "auth",
    "autoscaling",
    "head",
    "workers",
    "jobs",
)
POD_KEYS = (
    "cpu",
    "cpuLimit",
    "memory",
    "sharedMemory",
    "tmpStorage",
    "ephemeralStorage",
    "gpu",
    "gpuResource",
    "env",
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpread",
    "priorityClass",
    "serviceAccount",
)
GROUP_KEYS = (
    "name",
    "taskCpus",
    "replicas",
    "minReplicas",
    "maxReplicas",
    "idleTimeoutSeconds",
)
FROM_RELEASE = ("name", "namespace")
SIZE = {"type": "string", "pattern": "^[1-9][0-9]{0,6}(Mi|Gi)$"}
"""The chart calculates with these sizes, and Helm's templates have no fractions."""

Schema = dict[str, Any]


def values_schema() -> Schema:
    """The JSON Schema (draft 07) of the chart's values."""
    whole = reference.json_schema()
    parts = whole["$defs"]
    core = {
        "Head": _part(parts["Head"], (*POD_KEYS, "taskCpus")),
        "WorkerGroup": _part(parts["WorkerGroup"], (*POD_KEYS, *GROUP_KEYS)),
    }
    cluster = _part(whole, CLUSTER_KEYS)
    cluster["properties"] |= {key: _elsewhere("the release gives it") for key in FROM_RELEASE}
    # Helm passes `global` to a chart and to all its subcharts.
    cluster["properties"]["global"] = {"type": "object"}
    schema = {
        "$schema": DRAFT,
        "title": "Values of the chart raykit: the core of a raykit spec",
        **{
            key: value for key, value in cluster.items() if key not in ("$schema", "title", "$defs")
        },
        "required": ["image", "head"],
    }
    schema["definitions"] = _reached(schema, {**parts, **core})
    result: Schema = _local(schema)
    return result


def values_schema_text() -> str:
    """The schema as text, in the form that is committed to the repository."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=True) + "\n"


def _part(node: Schema, kept: tuple[str, ...]) -> Schema:
    """A part of the spec: its core, and for other keys a hint where they are supported."""
    properties = {}
    for key, value in node["properties"].items():
        if key not in kept:
            properties[key] = _elsewhere("only raykit render has it")
        elif key in ("memory", "sharedMemory"):
            properties[key] = {**SIZE, "description": value.get("description", "")}
        else:
            properties[key] = value
    return {**node, "properties": properties}


def _elsewhere(why: str) -> Schema:
    """A key that the chart does not support. Helm prints the only allowed value: it says why."""
    return {"enum": [f"not in this chart: {why}"]}


def _reached(schema: Schema, parts: dict[str, Schema]) -> dict[str, Schema]:
    """The parts that a schema refers to, directly or through others."""
    reached: dict[str, Schema] = {}
    waiting = sorted(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = parts[name]
            waiting += sorted(_references(parts[name]))
    return dict(sorted(reached.items()))


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
    return own.union(*(_references(value) for value in node.values()))


def _local(node: Any) -> Any:
    """The schema with references to `definitions`, the place of draft 07."""
    if isinstance(node, list):
        return [_local(item) for item in node]
    if not isinstance(node, dict):
        return node
    local = {key: _local(value) for key, value in node.items()}
    if "$ref" in local:
        # Draft 07 ignores all other keys beside a reference.
        local = {"allOf": [{"$ref": local["$ref"].replace("#/$defs/", "#/definitions/")}]} | {
            key: value for key, value in local.items() if key in ("description", "default")
        }
    return local
