"""Manifests: the same bytes for the same spec, and pods that Pod Security `restricted` admits."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.manifests import schema
from raykit.manifests.render import render, to_yaml
from raykit.spec import names, quantity
from raykit.spec.load import load, load_file
from tests.unit.manifests.kuberay_pods import pods_of

CLUSTERS = Path(kit.root()) / "deploy" / "clusters"
GOLDEN = Path(__file__).parent / "golden"
IMAGE = "raykit:2.60.0-py311-golden"
SHAPES = ["single-node", "multi-node", "scaled", "autoscaled"]
HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"
SCALED = GROUP + "  maxReplicas: 3\nautoscaling: {enabled: true, idleTimeoutSeconds: 5}\n"


def cluster(text):
    """The RayCluster of a spec's text."""
    (made,) = render(load(text), image=IMAGE)
    return made


FULL = Path(__file__).parents[1] / "spec" / "full.yaml"


def shape(name):
    (made,) = render(load_file(CLUSTERS / f"{name}.yaml"), image=IMAGE)
    return made


def templates(made):
    """The pod specs of the head and of each group."""
    groups = [made["spec"]["headGroupSpec"], *made["spec"].get("workerGroupSpecs", [])]
    return [group["template"]["spec"] for group in groups]


def as_kuberay_makes_them(made):
    """The specs of the pods, with the containers that KubeRay adds."""
    return [pod["spec"] for pod in pods_of(made)]


def violations(pod):
    """What Pod Security `restricted` has against a pod."""
    shared = pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod["volumes"]:
        if set(volume) - {"name", "emptyDir", "projected", "configMap", "secret"}:
            yield f"volume {volume['name']}"
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container.get("securityContext", {})
        merged = {**shared, **own}
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{container['name']}: allowPrivilegeEscalation"
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
            yield f"{container['name']}: capabilities"
        if merged.get("runAsNonRoot") is not True or merged.get("runAsUser") == 0:
            yield f"{container['name']}: runAsNonRoot"
        if merged.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
            yield f"{container['name']}: seccompProfile"
        if own.get("privileged") or any("hostPort" in p for p in container.get("ports", [])):
            yield f"{container['name']}: privileged or hostPort"


@pytest.mark.parametrize("name", ["single-node", "multi-node", "autoscaled"])
def test_a_shape_renders_as_its_golden_file(name):
    text = to_yaml([shape(name)])
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_a_spec_with_every_key_renders_as_its_golden_file():
    text = to_yaml(render(load_file(FULL), image=IMAGE))
    golden = GOLDEN / "full.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("name", SHAPES)
def test_every_pod_that_kuberay_makes_passes_restricted(name):
    for pod in as_kuberay_makes_them(shape(name)):
        assert list(violations(pod)) == []


def test_the_check_of_restricted_sees_what_is_missing():
    made = shape("autoscaled")
    del made["spec"]["autoscalerOptions"]["securityContext"]
    del made["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["securityContext"][
        "capabilities"
    ]
    head, worker = as_kuberay_makes_them(made)
    assert "autoscaler: capabilities" in list(violations(head))
    assert list(violations(worker)) == ["ray-worker: capabilities", "wait-gcs-ready: capabilities"]


@pytest.mark.parametrize("name", SHAPES)
def test_no_service_account_token_where_drivers_and_tasks_run(name):
    for pod in as_kuberay_makes_them(shape(name)):
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
            has_token = any("serviceaccount" in path for path in mounted)
            assert has_token == (container["name"] == "autoscaler")


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_written_to_an_image_and_no_addresses_of_services_leak_in(name):
    for pod in as_kuberay_makes_them(shape(name)):
        assert pod["enableServiceLinks"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_what_the_api_server_would_add_is_rendered():
    """Otherwise Argo CD sees a difference for ever."""
    made = shape("multi-node")
    assert [group["numOfHosts"] for group in made["spec"]["workerGroupSpecs"]] == [1]
    ports = [port for pod in templates(made) for port in pod["containers"][0]["ports"]]
    assert {port["protocol"] for port in ports} == {"TCP"}


@pytest.mark.parametrize("name", SHAPES)
def test_memory_is_bounded_and_what_is_written_is_sized(name):
    for pod in templates(shape(name)):
        ray = pod["containers"][0]
        resources = ray["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"]
        mounts = {mount["mountPath"]: mount["name"] for mount in ray["volumeMounts"]}
        assert set(mounts) == {"/dev/shm", "/tmp"}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        shared = volumes[mounts["/dev/shm"]]["emptyDir"]
        assert shared["medium"] == "Memory"
        assert quantity.size(shared["sizeLimit"]) <= quantity.size(resources["limits"]["memory"])
        assert all("sizeLimit" in v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v)


@pytest.mark.parametrize("name", SHAPES)
def test_the_object_store_has_room_in_shared_memory(name):
    made = shape(name)
    groups = [made["spec"]["headGroupSpec"], *made["spec"].get("workerGroupSpecs", [])]
    for group in groups:
        volume = group["template"]["spec"]["volumes"][0]
        store = int(group["rayStartParams"]["object-store-memory"])
        assert 75 * quantity.MIB <= store < quantity.size(volume["emptyDir"]["sizeLimit"])


@pytest.mark.parametrize("name", SHAPES)
def test_a_pod_is_given_longer_to_end_than_ray_takes_to_drain(name):
    assert {pod["terminationGracePeriodSeconds"] for pod in templates(shape(name))} == {60}


@pytest.mark.parametrize("name", SHAPES)
def test_start_parameters_are_texts_and_name_the_task_cpus(name):
    made = shape(name)
    groups = [made["spec"]["headGroupSpec"], *made["spec"].get("workerGroupSpecs", [])]
    assert all(isinstance(v, str) for group in groups for v in group["rayStartParams"].values())
    offered = [group["rayStartParams"]["num-cpus"] for group in groups]
    assert offered == (["2"] if name == "single-node" else ["0", "1"])


def test_a_head_with_workers_takes_no_tasks():
    assert cluster(GROUP)["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_authentication_is_said_either_way():
    on, off = cluster(HEAD), cluster(HEAD + "auth: {mode: disabled}\n")
    assert on["spec"]["authOptions"] == {"mode": "token"}
    assert off["spec"]["authOptions"] == {"mode": "disabled"}
    mode = {"name": "RAY_AUTH_MODE", "value": "disabled"}
    assert mode in templates(off)[0]["containers"][0]["env"]
    assert mode not in templates(on)[0]["containers"][0]["env"]
    scaled_off = cluster(SCALED + "auth: {mode: disabled}\n")
    assert scaled_off["spec"]["autoscalerOptions"]["env"] == [mode]


def test_a_changed_pod_replaces_what_runs():
    assert cluster(HEAD)["spec"]["upgradeStrategy"] == {"type": "Recreate"}


def test_an_autoscaled_cluster_begins_with_the_fewest_workers():
    made = cluster(SCALED)
    (group,) = made["spec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (0, 0, 3)
    options = made["spec"]["autoscalerOptions"]
    assert (options["version"], options["idleTimeoutSeconds"]) == ("v2", 5)
    assert [pod["restartPolicy"] for pod in templates(made)] == ["Never", "Never"]


def test_replicas_and_both_bounds_are_always_said_otherwise():
    (group,) = cluster(GROUP + "  replicas: 3\n")["spec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (3, 0, 3)
    assert "restartPolicy" not in templates(cluster(GROUP))[1]


def test_the_specs_own_image_goes_before_the_one_handed_in():
    own = cluster(HEAD + "image: rayproject/ray:2.60.0-py311\n")
    assert templates(own)[0]["containers"][0]["image"] == "rayproject/ray:2.60.0-py311"
    assert templates(cluster(HEAD))[0]["containers"][0]["image"] == IMAGE
    assert own["spec"]["rayVersion"] == "2.60.0"


def test_env_placement_and_limits_reach_the_pod_they_are_said_of():
    made = cluster(
        GROUP + "  cpu: 500m\n  cpuLimit: 2\n  env: {B: '1', RAY_worker_niceness: '5'}\n"
        "  nodeSelector: {pool: big}\n"
        "  tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]\n"
    )
    head, worker = templates(made)
    ray = worker["containers"][0]
    env = {each["name"]: each["value"] for each in ray["env"]}
    assert (env["B"], env["RAY_worker_niceness"]) == ("1", "5")
    assert list(env) == sorted(env)
    assert ray["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert ray["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert worker["nodeSelector"] == {"pool": "big"}
    assert worker["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "nodeSelector" not in head
    assert "B" not in {each["name"] for each in head["containers"][0]["env"]}


def test_a_cluster_and_its_pods_carry_the_labels_they_are_found_by():
    made = cluster(GROUP + "namespace: team\n")
    assert made["metadata"]["namespace"] == "team"
    pods = [made["spec"]["headGroupSpec"], *made["spec"]["workerGroupSpecs"]]
    for metadata in [made["metadata"], *(group["template"]["metadata"] for group in pods)]:
        assert metadata["labels"][names.CLUSTER_LABEL] == "c"
        # KubeRay's head service selects by this label's own value.
        assert "app.kubernetes.io/name" not in metadata["labels"]


def test_the_hash_changes_with_what_is_rendered_and_with_nothing_else():
    def noted(text, image=IMAGE):
        (made,) = render(load(text), image=image)
        return made["metadata"]["annotations"][names.HASH_ANNOTATION]

    assert noted(HEAD) == noted("# a comment\n" + HEAD) == noted(HEAD + "rayVersion: 2.60.0\n")
    assert len({noted(HEAD), noted(HEAD, "raykit:y"), noted(HEAD.replace("4Gi", "5Gi"))}) == 3


def test_nothing_rendered_is_shared_between_parts():
    made = cluster(GROUP)
    templates(made)[0]["securityContext"]["runAsUser"] = 7
    assert templates(made)[1]["securityContext"]["runAsUser"] == 1000
    assert templates(cluster(GROUP))[0]["securityContext"]["runAsUser"] == 1000


sizes = st.integers(1, 4096).map(lambda n: f"{n}Gi")
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
pods = {
    "memory": sizes,
    "env": st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{3,9}", fullmatch=True).map("MY_".__add__), texts
    ),
    "nodeSelector": st.dictionaries(
        st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.just("x"), max_size=2
    ),
}
groups = st.fixed_dictionaries(
    {
        **pods,
        "name": st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
        "replicas": st.integers(0, 9),
    },
    optional={"cpu": st.sampled_from(["1", "500m", 2]), "taskCpus": st.integers(1, 8)},
)


@settings(max_examples=60, deadline=None)
@given(
    head=st.fixed_dictionaries(pods),
    workers=st.lists(groups, min_size=1, max_size=3, unique_by=lambda each: each["name"]),
    mode=st.sampled_from(["token", "disabled"]),
)
def test_whatever_a_spec_says_its_manifest_is_valid_and_reads_back_the_same(head, workers, mode):
    text = yaml.safe_dump(
        {"name": "c", "head": head, "workers": workers, "auth": {"mode": mode}}, allow_unicode=False
    )
    made = render(load(text), image=IMAGE)
    assert list(yaml.safe_load_all(to_yaml(made))) == made
    assert to_yaml(made) == to_yaml(render(load(text), image=IMAGE))
    for version in schema.versions():
        assert schema.check(made[0], version) == []
    for pod in as_kuberay_makes_them(made[0]):
        assert list(violations(pod)) == []


def test_ray_is_looked_for_from_the_first_second():
    for pod in templates(cluster(GROUP)):
        ray = pod["containers"][0]
        assert ray["startupProbe"]["periodSeconds"] == 1
        for probe in (ray["startupProbe"], ray["readinessProbe"]):
            assert probe["httpGet"] == {"path": "/api/healthz", "port": 52365}
            assert "initialDelaySeconds" not in probe


@pytest.mark.parametrize("name", ["RAY_SCHEDULER_EVENTS", "RAY_enable_autoscaler_v2"])
def test_only_an_autoscaled_cluster_lets_rays_autoscaler_write_into_logs(name):
    def values(made):
        return [
            {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}.get(name)
            for pod in templates(made)
        ]

    assert values(cluster(GROUP)) == ["0", "0"]
    assert values(cluster(SCALED)) == [None, None]


def test_a_spec_may_let_rays_autoscaler_write_into_logs():
    own = cluster(GROUP.replace("head:\n", "head:\n  env: {RAY_SCHEDULER_EVENTS: '1'}\n"))
    head = templates(own)[0]["containers"][0]
    assert {"name": "RAY_SCHEDULER_EVENTS", "value": "1"} in head["env"]
