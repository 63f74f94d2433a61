"""raykit's compact schema against KubeRay's own CRDs."""

import copy
import importlib.util
import json
from pathlib import Path

import pytest

from raykit import kit
from raykit.manifests import schema
from raykit.manifests.render import render
from raykit.spec.load import load_file, overridden
from tests.contract.crds import ABSENT, CRDS, PLURALS, crd_schema, validator

ROOT = Path(kit.root())
DERIVED = ROOT / "cli" / "raykit" / "manifests" / "crd"
CLUSTERS = sorted((ROOT / "deploy" / "clusters").glob("*.yaml"))

pytestmark = pytest.mark.skipif(not CRDS.is_dir(), reason=ABSENT)


@pytest.fixture(scope="module")
def script():
    """`scripts/derive_crd_schema.py` as a module."""
    path = ROOT / "scripts" / "derive_crd_schema.py"
    found = importlib.util.spec_from_file_location("derive_crd_schema", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=schema.versions())
def crd(request):
    """A KubeRay version and a strict validator of its RayCluster."""
    return request.param, validator(request.param, "rayclusters")


@pytest.mark.parametrize("version", schema.versions())
def test_the_schema_that_ships_is_what_the_script_derives(script, version):
    text = script.to_text(script.derive(CRDS / f"crds-{version}"))
    assert text == (DERIVED / f"{version}.json").read_text("utf-8"), (
        "run python scripts/derive_crd_schema.py CRD_DIR..."
    )


def test_every_version_beside_the_checkout_ships():
    assert [f"crds-{version}" for version in schema.versions()] == sorted(
        path.name for path in CRDS.glob("crds-*")
    )


@pytest.mark.parametrize("version", schema.versions())
def test_the_schema_that_ships_is_small_and_holds_no_prose(version):
    text = (DERIVED / f"{version}.json").read_text("utf-8")
    assert len(text) < 150_000
    assert '"description"' not in json.dumps(strip_properties(json.loads(text)))


def strip_properties(node):
    """The schema's own keywords, without the names of fields."""
    if isinstance(node, list):
        return [strip_properties(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: strip_properties(value) for key, value in node.items() if key != "properties"}
    inside = node.get("properties", {})
    return {**made, "inside": [strip_properties(each) for each in inside.values()]}


FULL = ROOT / "tests" / "unit" / "spec" / "full.yaml"


def manifests(version):
    """Everything of KubeRay's that the shapes, and the spec with every key, render to."""
    named = overridden(load_file(CLUSTERS[0]), namespace="n")
    specs = [*map(load_file, CLUSTERS), load_file(FULL), named]
    specs = [spec.model_copy(update={"kuberay": version}) for spec in specs]
    made = [each for spec in specs for each in render(spec, image="raykit:x")]
    return [each for each in made if schema.is_rays(each)]


def test_what_is_rendered_is_valid_by_the_full_crd(crd):
    version, of_clusters = crd
    of_jobs = validator(version, "rayjobs")
    for manifest in manifests(version):
        strictly = of_clusters if manifest["kind"] == "RayCluster" else of_jobs
        assert [error.message for error in strictly.iter_errors(manifest)] == []
        assert schema.check(manifest, version) == []


def defaulted(value, node):
    """A value with what the API server sets where the CRD has a default."""
    if isinstance(value, dict):
        known = node.get("properties", {})
        further = node.get("additionalProperties")
        made = {
            key: defaulted(inner, known.get(key) or (further if isinstance(further, dict) else {}))
            for key, inner in value.items()
        }
        defaults = {key: inner["default"] for key, inner in known.items() if "default" in inner}
        return {**defaults, **made}
    if isinstance(value, list):
        return [defaulted(each, node.get("items", {})) for each in value]
    return value


@pytest.mark.parametrize("version", schema.versions())
def test_the_api_server_has_nothing_to_add_to_what_is_rendered(version):
    """What it added would differ from git for ever, and Argo CD would never call it Synced."""
    for manifest in manifests(version):
        held = defaulted(manifest, crd_schema(version, PLURALS[manifest["kind"]]))
        assert held == manifest


def broken(manifest):
    """The manifest with one thing wrong, in turn: each key renamed, each scalar of another type."""

    def walk(node, path):
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in entries:
            here = (*path, key)
            if isinstance(node, dict):
                yield here, "renamed"
            if isinstance(value, dict | list):
                yield from walk(value, here)
            else:
                yield here, "retyped"

    for path, how in list(walk(manifest, ())):
        changed = copy.deepcopy(manifest)
        holder = changed
        for part in path[:-1]:
            holder = holder[part]
        if how == "renamed":
            holder["raykitUnknown"] = holder.pop(path[-1])
        else:
            holder[path[-1]] = [] if not isinstance(holder[path[-1]], bool) else 3
        yield path, how, changed


def test_the_compact_schema_refuses_what_the_full_crd_refuses(crd):
    version, of_clusters = crd
    manifest = render(load_file(ROOT / "deploy/clusters/autoscaled.yaml"), image="raykit:x")[0]
    tried = 0
    for path, how, changed in broken(manifest):
        if path[0] in {"kind", "apiVersion", "metadata"}:
            continue
        tried += 1
        full = not of_clusters.is_valid(changed)
        ours = bool(schema.check(changed, version))
        assert ours == full, (path, how, version)
    assert tried > 100
