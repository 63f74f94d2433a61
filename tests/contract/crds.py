"""KubeRay's CRDs beside the checkout, as JSON schemas that refuse what they do not know."""

from pathlib import Path

import jsonschema
import yaml

from raykit import kit

CRDS = Path(kit.root()).parent / "shared" / "kuberay"
ABSENT = "KubeRay's CRDs lie beside the checkout in CI only"
PLURALS = {
    "RayCluster": "rayclusters",
    "RayJob": "rayjobs",
    "RayService": "rayservices",
    "RayCronJob": "raycronjobs",
}


def strict(node):
    """An openAPIV3Schema as a JSON schema that refuses what it does not know."""
    if not isinstance(node, dict):
        return node
    made = dict(node)
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in made:
        made["properties"] = {key: strict(value) for key, value in made["properties"].items()}
        if not made.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = strict(made[key])
    return made


def crd_schema(version, plural):
    """KubeRay's own schema of a resource."""
    path = CRDS / f"crds-{version}" / f"ray.io_{plural}.yaml"
    document = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    (v1,) = [each for each in document["spec"]["versions"] if each["name"] == "v1"]
    return v1["schema"]["openAPIV3Schema"]


def validator(version, plural):
    return jsonschema.Draft202012Validator(strict(crd_schema(version, plural)))
