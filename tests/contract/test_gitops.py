"""deploy/: each kustomization builds, and what comes out is what raykit itself would render."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from raykit import kit, versions
from raykit.manifests import schema
from raykit.manifests.render import render
from raykit.spec.load import load
from tests.unit.manifests.network import Peer, allowed

DEPLOY = Path(kit.root()) / "deploy"
ENVIRONMENTS = ("dev", "staging", "prod")
PLACES = sorted(
    path.parent
    for path in DEPLOY.rglob("kustomization.yaml")
    if yaml.safe_load(path.read_text("utf-8"))["kind"] == "Kustomization"
)
COMPONENTS = sorted(path.name for path in (DEPLOY / "components").iterdir())
SPECS = {
    "pdb": ("disruptionBudget", True),
    "monitoring": ("monitoring", {"enabled": True}),
    "network-policy": ("networkPolicy", {"enabled": True}),
}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


def build(folder):
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def kinds(objects, *wanted):
    return [each for each in objects if each["kind"] in wanted]


@pytest.fixture
def kustomization(tmp_path):
    """Writes a kustomization beside a copy of deploy/; returns the objects that come out."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")

    def write(files=(), **keys):
        folder = tmp_path / "deploy" / "mine"
        folder.mkdir()
        shutil.copy(DEPLOY / "overlays" / "prod" / "image-fields.yaml", folder)
        for name, objects in dict(files).items():
            (folder / name).write_text(yaml.safe_dump_all(objects), "utf-8")
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(keys), "utf-8")
        return build(folder)

    return write


@pytest.mark.parametrize("place", PLACES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_each_kustomization_builds_and_kuberays_schema_takes_its_objects(place):
    built = build(place)
    assert built
    text = json.dumps(built)
    assert "CLUSTER" not in text
    assert "from-settings" not in text
    rays = [each for each in built if schema.is_rays(each)]
    assert [
        (each["metadata"]["name"], schema.check(each)) for each in rays if schema.check(each)
    ] == []


def test_no_folder_of_manifests_is_without_a_kustomization():
    folders = {path.parent for path in (DEPLOY / "components").rglob("*.yaml")}
    folders |= {path.parent for path in (DEPLOY / "overlays").rglob("*.yaml")}
    assert [folder for folder in folders if not (folder / "kustomization.yaml").is_file()] == []


@pytest.mark.parametrize("component", sorted(SPECS))
def test_a_component_adds_what_the_spec_renders(component, kustomization):
    key, value = SPECS[component]
    made = kustomization(
        namespace="ray", resources=["../base/multi-node"], components=[f"../components/{component}"]
    )
    spec = yaml.safe_load((DEPLOY / "clusters" / "multi-node.yaml").read_text("utf-8"))
    asked = {**spec, "namespace": "ray", "monitoring": {"enabled": True}, key: value}
    kind = kinds(made, "PodDisruptionBudget", "PodMonitor", "NetworkPolicy")
    rendered = kinds(render(load(json.dumps(asked)), image="raykit:x"), *{o["kind"] for o in kind})
    by_name = {each["metadata"]["name"]: each for each in rendered}
    assert {each["metadata"]["name"]: each for each in kind} == by_name
    assert by_name


def test_every_component_is_tested():
    assert set(COMPONENTS) == {*SPECS, "kueue"}


def test_kueue_labels_the_cluster_as_a_spec_with_a_queue_does(kustomization):
    made = kustomization(
        namespace="ray", resources=["../base/multi-node"], components=["../components/kueue"]
    )
    (cluster,) = kinds(made, "RayCluster")
    (queue,) = kinds(made, "LocalQueue")
    spec = yaml.safe_load((DEPLOY / "clusters" / "multi-node.yaml").read_text("utf-8"))
    asked = {**spec, "namespace": "ray", "queue": queue["metadata"]["name"]}
    (rendered,) = render(load(json.dumps(asked)), image="raykit:x")
    assert cluster["metadata"]["labels"] == rendered["metadata"]["labels"]


def images(node):
    """Every value of a key `image` below a manifest."""
    if isinstance(node, list):
        return [found for each in node for found in images(each)]
    if not isinstance(node, dict):
        return []
    own = [node["image"]] if isinstance(node.get("image"), str) else []
    return own + [found for each in node.values() for found in images(each)]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_sets_every_image_by_digest(environment):
    found = images(kinds(build(DEPLOY / "overlays" / environment), "RayCluster"))
    assert found
    assert [each for each in found if "@sha256:" not in each] == []


def test_the_image_fields_reach_every_container_of_a_job_with_its_own_cluster(kustomization):
    init = {"name": "prepare", "image": "raykit:x", "spec": {"command": ["true"]}}
    spec = {
        "name": "c",
        "namespace": "ray",
        "autoscaling": {"enabled": True},
        "head": {"memory": "2Gi", "initContainers": [init]},
        "workers": [
            {"name": "w", "maxReplicas": 1, "memory": "2Gi", "initContainers": [init]},
        ],
        "jobs": [{"name": "own", "job": "fib", "ownCluster": True}],
    }
    made = kustomization(
        files={"all.yaml": render(load(json.dumps(spec)), image="raykit:x")},
        resources=["all.yaml"],
        configurations=["image-fields.yaml"],
        images=[{"name": "raykit", "newName": "elsewhere/raykit", "digest": "sha256:" + "a" * 64}],
    )
    assert set(images(made)) == {"elsewhere/raykit@sha256:" + "a" * 64}
    assert len(images(made)) == 9


def test_the_image_fields_of_the_overlays_are_the_same():
    texts = {
        (DEPLOY / "overlays" / each / "image-fields.yaml").read_text() for each in ENVIRONMENTS
    }
    assert len(texts) == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_objects_of_an_overlay_are_in_its_namespace(environment):
    for each in build(DEPLOY / "overlays" / environment):
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == f"raykit-{environment}"


def of_prod(node_type, namespace="raykit-prod"):
    return Peer(namespace, {"ray.io/cluster": "autoscaled", "ray.io/node-type": node_type})


OPERATOR = Peer("ray-system", {"app.kubernetes.io/name": "kuberay-operator"})
API_SERVER, INTERNET = Peer(address="192.0.2.10"), Peer(address="198.51.100.1")
STRANGER = Peer("raykit-prod", {"app": "shop"})


@pytest.mark.parametrize(
    ("source", "target", "port", "opens"),
    [
        (of_prod("worker"), of_prod("head"), 6379, True),
        (of_prod("worker", "raykit-dev"), of_prod("head"), 6379, False),
        (OPERATOR, of_prod("head"), 8265, True),
        (API_SERVER, of_prod("head"), 8265, True),
        (of_prod("head"), API_SERVER, 6443, True),
        (STRANGER, of_prod("head"), 8265, False),
        (STRANGER, of_prod("worker"), 10002, False),
        (STRANGER, of_prod("worker"), 8080, True),
        (INTERNET, of_prod("head"), 8265, False),
        (of_prod("worker"), INTERNET, 443, False),
    ],
)
def test_what_the_network_policies_of_prod_let_through(source, target, port, opens):
    assert allowed(build(DEPLOY / "overlays" / "prod"), source, target, port) is opens


def test_the_job_runs_on_the_cluster_of_the_dev_overlay_in_its_image():
    (job,) = build(DEPLOY / "gitops" / "jobs")
    (cluster,) = kinds(build(DEPLOY / "overlays" / "dev"), "RayCluster")
    assert job["metadata"]["namespace"] == cluster["metadata"]["namespace"]
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    assert set(images(job)) == set(images(cluster))


def test_argo_cd_has_the_crds_first_and_the_jobs_last():
    applications = kinds(build(DEPLOY / "gitops" / "argocd"), "Application")
    waves = {
        int(each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]): each["metadata"][
            "name"
        ]
        for each in applications
    }
    order = ["kuberay-crds", "kuberay-operator", "raykit-clusters", "raykit-jobs"]
    assert [waves[wave] for wave in sorted(waves)] == order


def test_flux_waits_for_the_operator_then_for_the_clusters():
    made = build(DEPLOY / "gitops" / "flux")
    steps = {
        each["metadata"]["name"]: each["spec"] for each in made if each["kind"] == "Kustomization"
    }
    after = {
        name: [each["name"] for each in spec.get("dependsOn", [])] for name, spec in steps.items()
    }
    assert after == {
        "kuberay-operator": [],
        "raykit-clusters": ["kuberay-operator"],
        "raykit-jobs": ["raykit-clusters"],
    }
    assert all(spec["wait"] for spec in steps.values())
    for spec in steps.values():
        assert (DEPLOY.parent / spec["path"] / "kustomization.yaml").is_file()


def test_the_gitops_folders_name_the_operator_that_raykit_installs():
    (release,) = build(DEPLOY / "gitops" / "flux" / "operator")
    assert release["spec"]["chart"]["spec"]["version"] == versions.KUBERAY
    by_name = {
        each["metadata"]["name"]: each["spec"]["source"]["targetRevision"]
        for each in kinds(build(DEPLOY / "gitops" / "argocd"), "Application")
    }
    assert by_name["kuberay-operator"] == versions.KUBERAY
    assert by_name["kuberay-crds"] == f"v{versions.KUBERAY}"
