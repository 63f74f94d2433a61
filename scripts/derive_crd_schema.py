"""Derive the compact schemas of `cli/raykit/manifests/crd/` from KubeRay's CRDs.

    python scripts/derive_crd_schema.py CRD_DIR... [--out FOLDER]

Each CRD_DIR holds the CRDs of one KubeRay version and is named after it (`crds-1.6.2`). What is
kept decides whether a manifest is valid: names, types, patterns, enums, bounds, required keys.
Parts that occur more than once, such as a pod template's, are kept once and referred to.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

# A CRD is up to 1.4 MB; the C loader takes a seventh of the time.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OUT = Path(__file__).resolve().parents[1] / "cli" / "raykit" / "manifests" / "crd"
KEPT = (
    "type",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "nullable",
    "required",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
)
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
# CRDs leave an object's own metadata to the API server; these are the keys that one writes.
METADATA: Schema = {
    "type": "object",
    "properties": {
        "annotations": TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "generateName": {"type": "string"},
        "labels": TEXTS,
        "name": {"type": "string"},
        "namespace": {"type": "string"},
    },
}
# A reference is itself some twenty characters long.
WORTH_SHARING = 60


def compact(schema: Schema) -> Schema:
    """What decides validity, of a node of an openAPIV3Schema and of everything below it."""
    node: Schema = {key: schema[key] for key in KEPT if key in schema}
    if "required" in node:
        # The API server fills defaults in before it asks what is missing.
        held = schema.get("properties", {})
        node["required"] = [
            each for each in node["required"] if "default" not in held.get(each, {})
        ]
    if node.get("required") == []:
        del node["required"]
    if "required" in node:
        node["required"] = sorted(node["required"])
    if "properties" in schema:
        node["properties"] = {
            name: compact(schema["properties"][name]) for name in sorted(schema["properties"])
        }
    for key in ("items", "additionalProperties"):
        if key in schema:
            node[key] = compact(schema[key]) if isinstance(schema[key], dict) else schema[key]
    return node


def share(kinds: dict[str, Schema]) -> Schema:
    """The kinds with parts that occur twice moved to `defs`, as `{"$ref": "7"}`."""
    counts: Counter[str] = Counter()
    for schema in kinds.values():
        _count(schema, counts)
    repeated = {text for text, times in counts.items() if times > 1 and len(text) > WORTH_SHARING}
    numbers = {text: str(at) for at, text in enumerate(sorted(repeated))}
    defs = {
        number: _referring(json.loads(text), numbers, top=True) for text, number in numbers.items()
    }
    return {
        "kinds": {name: _referring(kinds[name], numbers) for name in sorted(kinds)},
        "defs": defs,
    }


def derive(folder: Path) -> Schema:
    """The compact schema of one KubeRay version: its kinds of `ray.io/v1`."""
    kinds = {}
    for path in sorted(folder.glob("*.yaml")):
        crd = yaml.load(path.read_text("utf-8"), LOADER)
        for version in crd["spec"]["versions"]:
            if version["name"] == "v1":
                schema = version["schema"]["openAPIV3Schema"]
                schema["properties"].pop("status", None)
                schema["properties"]["metadata"] = METADATA
                kinds[crd["spec"]["names"]["kind"]] = compact(schema)
    if not kinds:
        raise SystemExit(f"{folder} holds no CRD with a version v1")
    return {"kuberay": version_of(folder), "apiVersion": "ray.io/v1", **share(kinds)}


def version_of(folder: Path) -> str:
    """`1.6.2` of `crds-1.6.2`."""
    found = re.search(r"(\d+\.\d+\.\d+)$", folder.name)
    if not found:
        raise SystemExit(f"{folder} is not named after a KubeRay version, as crds-1.6.2 is")
    return found[1]


def to_text(schema: Schema) -> str:
    """The schema as it lies in the repository: one definition a line."""
    lines = [f'{{"kuberay":{_json(schema["kuberay"])},"apiVersion":{_json(schema["apiVersion"])},']
    for part, end in (("kinds", ","), ("defs", "")):
        rows = [f"{_json(name)}:{_json(node)}" for name, node in schema[part].items()]
        lines += [f'"{part}":{{', ",\n".join(rows), f"}}{end}"]
    return "\n".join(lines) + "}\n"


def _count(node: Any, counts: Counter[str]) -> None:
    """Count equal parts; what lies inside a part seen before is not counted again."""
    if not isinstance(node, dict):
        return
    text = _json(node)
    counts[text] += 1
    if counts[text] > 1:
        return
    for child in _children(node):
        _count(child, counts)


def _referring(node: Any, numbers: dict[str, str], *, top: bool = False) -> Any:
    if not isinstance(node, dict):
        return node
    number = numbers.get(_json(node))
    if number is not None and not top:
        return {"$ref": number}
    referred = dict(node)
    if "properties" in node:
        referred["properties"] = {
            name: _referring(child, numbers) for name, child in node["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if key in node:
            referred[key] = _referring(node[key], numbers)
    return referred


def _children(node: Schema) -> list[Any]:
    inside = [*node.get("properties", {}).values()]
    return inside + [node[key] for key in ("items", "additionalProperties") if key in node]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def main() -> None:
    """Write one file for each version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="CRD_DIR")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    for folder in options.folders:
        text = to_text(derive(folder))
        target = options.out / f"{version_of(folder)}.json"
        target.write_text(text, "utf-8")
        print(f"{target}: {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
