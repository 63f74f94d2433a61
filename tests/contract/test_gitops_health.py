"""Argo CD's health checks judge KubeRay's statuses: the Lua alone, as the controller runs it."""

import re
from pathlib import Path

import pytest
import yaml

from raykit import kit

lua51 = pytest.importorskip("lupa.lua51", reason="lupa, of the extra dev, is not installed")

GITOPS = Path(kit.root()) / "deploy" / "gitops"
CHECKS = sorted((GITOPS / "argocd" / "resource_customizations").rglob("health.lua"))


def cases(check):
    """The cases of a check: path of the object, expected status and message."""
    tests = yaml.safe_load((check.parent / "health_test.yaml").read_text("utf-8"))["tests"]
    return [(check.parent / each["inputPath"], each["healthStatus"]) for each in tests]


ALL = [
    pytest.param(check, path, expected, id=f"{check.parent.name}-{path.stem}")
    for check in CHECKS
    for path, expected in cases(check)
]


def health(check, manifest):
    """What the Lua returns: `obj` is the only thing that it is given, as in Argo CD."""
    runtime = lua51.LuaRuntime(register_eval=False, unpack_returned_tuples=True)
    runtime.globals().obj = runtime.table_from(manifest, recursive=True)
    # Argo CD has neither files nor processes for a script.
    for name in ("io", "os", "require", "dofile", "loadfile", "python"):
        runtime.globals()[name] = None
    return dict(runtime.execute(check.read_text("utf-8")).items())


@pytest.mark.parametrize(("check", "path", "expected"), ALL)
def test_argo_cd_judges_each_phase(check, path, expected):
    assert health(check, yaml.safe_load(path.read_text("utf-8"))) == expected


@pytest.mark.parametrize("check", CHECKS, ids=lambda path: path.parent.name)
def test_every_object_beside_a_check_is_a_case_of_it(check):
    listed = {path for path, _ in cases(check)}
    assert listed == set((check.parent / "testdata").glob("*.yaml"))
    statuses = {expected["status"] for _, expected in cases(check)}
    assert {"Healthy", "Progressing", "Degraded"} <= statuses


def test_the_config_map_carries_the_checks_as_they_are():
    data = yaml.safe_load((GITOPS / "argocd" / "argocd-cm.yaml").read_text("utf-8"))["data"]
    expected = {
        f"resource.customizations.health.{check.parts[-3]}_{check.parts[-2]}": check.read_text()
        for check in CHECKS
    }
    assert data == expected


def test_flux_and_argo_cd_call_the_same_reasons_broken():
    lua = next(check for check in CHECKS if check.parent.name == "RayCluster").read_text("utf-8")
    table = lua.partition("local stuck = {")[2].partition("}")[0]
    clusters = yaml.safe_load((GITOPS / "flux" / "clusters.yaml").read_text("utf-8"))
    (exprs,) = clusters["spec"]["healthCheckExprs"]
    named = exprs["failed"].partition("c.reason in [")[2].partition("]")[0]
    assert set(re.findall(r"(\w+) = true", table)) == set(re.findall(r"'(\w+)'", named)) != set()
