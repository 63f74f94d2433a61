"""`docs/cloud.md`: every spec is valid, and becomes what the page says; manifests are well-formed.

`tests/kind/test_zz_cloud.py` gives the manifests to a real API server.
"""

import re

import pytest
import yaml

from raykit import kit
from raykit.app.main import main
from raykit.manifests.render import render
from raykit.spec import load

PAGE = kit.root() / "docs" / "cloud.md"
FENCES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)]
SPECS = {fence["name"]: fence for fence in FENCES if "kind" not in fence}
MANIFESTS = [fence for fence in FENCES if "kind" in fence]


def test_the_page_has_a_spec_and_an_account_for_each_cloud_and_an_ingress():
    assert list(SPECS) == ["on-gke", "on-eks", "on-aks"]
    kinds = [manifest["kind"] for manifest in MANIFESTS]
    assert kinds == ["ServiceAccount"] * 3 + ["Ingress"]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("version", ["1.6.2", "1.7.0"])
def test_every_spec_is_valid_and_passes_pod_security(name, version, tmp_path, capsys):
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**SPECS[name], "kuberay": version}, sort_keys=False))
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--pod-security", "restricted", str(path)])
    assert ended.value.code == 0, capsys.readouterr()


@pytest.mark.parametrize("name", SPECS)
def test_what_a_cloud_reads_is_on_the_pods(name):
    spec = load.load(yaml.safe_dump(SPECS[name]), name)
    (ray,) = [item for item in render(spec, image="") if item["kind"] == "RayCluster"]
    groups = [ray["spec"]["headGroupSpec"], *ray["spec"]["workerGroupSpecs"]]
    for group, wanted in zip(groups, [SPECS[name]["head"], *SPECS[name]["workers"]], strict=True):
        pod, meta = group["template"]["spec"], group["template"]["metadata"]
        assert pod.get("nodeSelector") == wanted.get("nodeSelector")
        assert pod.get("serviceAccountName") == wanted.get("serviceAccount")
        assert wanted.get("labels", {}).items() <= meta["labels"].items()
        assert wanted.get("annotations", {}).items() <= meta.get("annotations", {}).items()
        tolerated = [one["key"] for one in pod.get("tolerations", [])]
        assert {one["key"] for one in wanted.get("tolerations", [])} <= set(tolerated)
        assert not wanted.get("gpu") or "nvidia.com/gpu" in tolerated


def test_the_ingress_leads_to_the_dashboard_of_one_of_these_clusters():
    (ingress,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "Ingress"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    service = path["backend"]["service"]
    assert service["name"].removesuffix("-head-svc") in SPECS
    assert service["port"] == {"name": "dashboard"}
