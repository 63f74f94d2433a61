"""The schema of the Helm chart's values: the spec's core, from the model itself.

Helm up to 3.17 knows no draft newer than 07, and 3.18.5 refuses remote references: so the schema is
draft 07 with local definitions only.
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
"""The chart computes with these sizes, and Helm's templates know no fractions."""

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
    # Helm hands every chart of a family the same globals.
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
    made: Schema = _local(schema)
    return made


def values_schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=True) + "\n"


def _part(node: Schema, kept: tuple[str, ...]) -> Schema:
    """A part of the spec with its core; what is beyond it names the way."""
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
    """A key with no place in the chart: the one value that Helm names as allowed says why."""
    return {"enum": [f"not in this chart: {why}"]}


def _reached(schema: Schema, parts: dict[str, Schema]) -> dict[str, Schema]:
    """The parts that a schema refers to, directly or through others."""
    found: dict[str, Schema] = {}
    waiting = sorted(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = parts[name]
            waiting += sorted(_references(parts[name]))
    return dict(sorted(found.items()))


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
    return own.union(*(_references(value) for value in node.values()))


def _local(node: Any) -> Any:
    """References to `definitions`, where draft 07 keeps them."""
    if isinstance(node, list):
        return [_local(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _local(value) for key, value in node.items()}
    if "$ref" in made:
        # Draft 07 ignores whatever stands beside a reference.
        made = {"allOf": [{"$ref": made["$ref"].replace("#/$defs/", "#/definitions/")}]} | {
            key: value for key, value in made.items() if key in ("description", "default")
        }
    return made
