"""Argo CD's and Flux's health checks judge the same recorded objects: Lua and CEL, each alone."""

import re
from pathlib import Path

import pytest
import yaml

from raykit import kit

lua51 = pytest.importorskip("lupa.lua51", reason="lupa, of the extra dev, is not installed")
cel = pytest.importorskip(
    "cel_expr_python.cel", reason="cel-expr-python, of the extra dev, is not installed"
)

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


def expressions():
    """The health check expressions of Flux, by kind."""
    texts = [(GITOPS / "flux" / name).read_text("utf-8") for name in ("clusters.yaml", "jobs.yaml")]
    checks = [check for text in texts for check in yaml.safe_load(text)["spec"]["healthCheckExprs"]]
    return {check["kind"]: check for check in checks}


def flux(kind, manifest):
    """The status that Flux gives an object, in the order of RFC 0009 of fluxcd/flux2."""
    status, generation = manifest.get("status", {}), manifest["metadata"]["generation"]
    if status.get("observedGeneration", generation) != generation:
        return "InProgress"
    checks = expressions()[kind]
    for key, answer in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if holds(checks[key], manifest):
            return answer
    return "InProgress"


def holds(expression, manifest):
    """Whether a CEL expression is true; an error of CEL is an error here."""
    variables = dict.fromkeys(("apiVersion", "kind", "metadata", "spec", "status"), cel.Type.DYN)
    result = cel.NewEnv(variables=variables).compile(expression).eval(data=manifest)
    assert result.type() == cel.Type.BOOL, f"{result.value()}: {expression}"
    return result.value()


# Argo CD's words in Flux's, which has none for suspension. A RayCluster that is suspended is as its
# manifest says; a job that is suspended has not succeeded.
TO_FLUX = {"Healthy": "Current", "Degraded": "Failed", "Progressing": "InProgress"}
SUSPENDED = {"RayCluster": "Current", "RayJob": "InProgress"}


# Flux looks at observedGeneration before it asks, and KubeRay leaves it where no pod is replaced.
ONLY_ARGO_CD = {"changed-without-upgrade"}


@pytest.mark.parametrize(
    ("check", "path", "expected"), [case for case in ALL if case.id.partition("-")[0] in SUSPENDED]
)
def test_flux_judges_each_phase_as_argo_cd_does(check, path, expected):
    kind = check.parent.name
    words = TO_FLUX | {"Suspended": SUSPENDED[kind]}
    judged = flux(kind, yaml.safe_load(path.read_text("utf-8")))
    assert judged == ("InProgress" if path.stem in ONLY_ARGO_CD else words[expected["status"]])


def test_an_expression_that_reads_an_absent_status_is_an_error_here_as_it_is_in_flux():
    with pytest.raises(AssertionError, match="status"):
        holds("has(status.conditions)", {"metadata": {}})


def test_flux_and_argo_cd_call_the_same_reasons_broken():
    lua = next(check for check in CHECKS if check.parent.name == "RayCluster").read_text("utf-8")
    table = lua.partition("local stuck = {")[2].partition("}")[0]
    named = expressions()["RayCluster"]["failed"].partition("c.reason in [")[2].partition("]")[0]
    assert set(re.findall(r"(\w+) = true", table)) == set(re.findall(r"'(\w+)'", named)) != set()
