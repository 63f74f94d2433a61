"""Safe defaults of everything that is rendered, one by one.

`scripts/drop_safe_defaults.py` drops each from the source and shows that a test fails.
"""

import pytest

from raykit.manifests.render import render
from raykit.spec.load import load
from tests.unit.manifests.kuberay_pods import pods_of

SPEC = """\
name: c
autoscaling: {enabled: true}
head:
  memory: 2Gi
  volumes: [{name: cache, mountPath: /data, claim: data}]
  initContainers: [{name: fetch, image: a}]
  sidecars: [{name: ship, image: a}]
workers: [{name: w, memory: 1Gi, maxReplicas: 2, gpu: 1}]
jobs: [{name: shared, job: fib}, {name: own, job: fib, ownCluster: true}]
"""
FIXED = "name: c\nhead: {memory: 2Gi}\nworkers: [{name: w, memory: 1Gi}]\n"
CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
POD = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
OBJECTS = render(load(SPEC), image="raykit:x")
CLUSTER, SHARED, OWN = OBJECTS
PODS = [pod["spec"] for made in OBJECTS for pod in pods_of(made)]


def containers(pod):
    return [*pod["containers"], *pod.get("initContainers", [])]


def ray_pods(made):
    return [pod["spec"] for pod in pods_of(made) if "ray-" in pod["spec"]["containers"][0]["name"]]


def test_every_kind_of_container_is_looked_at():
    names = {container["name"] for pod in PODS for container in containers(pod)}
    assert names == {
        *("ray-head", "ray-worker", "autoscaler", "wait-gcs-ready", "ray-job-submitter"),
        *("fetch", "ship"),
    }


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_pod_and_containers_each_say_all_of_their_security(pod):
    own = {key: value for key, value in pod["securityContext"].items() if "fsGroup" not in key}
    assert own == POD
    for container in containers(pod):
        assert container["securityContext"] == CONTAINER, container["name"]


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_no_pod_gets_the_token_of_the_api_or_addresses_of_services(pod):
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_a_new_disk_is_writable_for_rays_user():
    head, worker, *_ = PODS
    assert head["securityContext"]["fsGroup"] == 1000
    assert head["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert "fsGroup" not in worker["securityContext"]


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_memory_is_bounded_by_what_is_requested_and_scratch_space_is_sized(pod):
    for container in containers(pod):
        if container["name"] in {"fetch", "ship", "wait-gcs-ready"}:
            continue  # The user's own, and KubeRay's.
        resources = container["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"]
        assert resources["requests"]["cpu"]
        assert "cpu" not in resources["limits"]
    for volume in pod["volumes"]:
        assert volume.get("emptyDir", {"sizeLimit": 1}).get("sizeLimit"), volume["name"]


def test_shared_memory_is_memory_and_holds_the_object_store():
    groups = [CLUSTER["spec"]["headGroupSpec"], *CLUSTER["spec"]["workerGroupSpecs"]]
    for group in groups:
        (shared,) = [
            volume["emptyDir"]
            for volume in group["template"]["spec"]["volumes"]
            if volume["name"] == "shared-memory"
        ]
        assert shared["medium"] == "Memory"
        assert int(group["rayStartParams"]["object-store-memory"]) > 0


def test_ray_is_probed_and_has_time_to_drain():
    for pod in ray_pods(CLUSTER):
        assert {"startupProbe", "readinessProbe"} < set(pod["containers"][0])
        assert pod["terminationGracePeriodSeconds"] == 60


def test_rays_environment_is_fair_and_quiet():
    for made, events in ((CLUSTER, None), (render(load(FIXED), image="x")[0], "0")):
        for pod in ray_pods(made):
            env = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
            assert env["RAY_worker_niceness"] == "0"
            assert env["RAY_STATE_SERVER_MAX_HTTP_REQUEST"] == "-1"
            assert env["RAY_USAGE_STATS_ENABLED"] == "0"
            assert env.get("RAY_SCHEDULER_EVENTS") == events
            assert env.get("RAY_enable_autoscaler_v2") == events


def test_the_cluster_asks_for_a_token_listens_for_its_service_and_follows_its_spec():
    spec = CLUSTER["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["upgradeStrategy"] == {"type": "Recreate"}
    assert spec["headGroupSpec"]["rayStartParams"]["dashboard-host"] == "0.0.0.0"
    (group,) = spec["workerGroupSpecs"]
    assert (group["numOfHosts"], group["maxReplicas"]) == (1, 2)
    assert {pod["restartPolicy"] for pod in ray_pods(CLUSTER)} == {"Never"}


def test_a_group_with_accelerators_tolerates_the_taint_of_their_nodes():
    worker = CLUSTER["spec"]["workerGroupSpecs"][0]["template"]["spec"]
    taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert worker["tolerations"] == [taint]


@pytest.mark.parametrize("job", [SHARED, OWN], ids=["shared", "own"])
def test_a_job_runs_at_most_once_from_a_pod_of_its_own(job):
    spec = job["spec"]
    assert (spec["backoffLimit"], spec["submitterConfig"]) == (0, {"backoffLimit": 0})
    assert spec["submitterPodTemplate"]["spec"]["restartPolicy"] == "Never"


def test_a_job_leaves_nothing_behind_but_what_kubernetes_lets_it():
    assert SHARED["spec"]["ttlSecondsAfterFinished"] == 0
    assert OWN["spec"]["ttlSecondsAfterFinished"] == 86_400
    assert OWN["spec"]["shutdownAfterJobFinishes"] is True
    # KubeRay refuses a strategy in a cluster that it makes for a job.
    assert "upgradeStrategy" not in OWN["spec"]["rayClusterSpec"]


def test_a_budget_keeps_the_head_and_a_policy_names_both_directions_and_dns():
    made = render(
        load(FIXED + "disruptionBudget: true\nnetworkPolicy: {enabled: true}\n"), image="x"
    )
    by_name = {each["metadata"]["name"]: each["spec"] for each in made}
    (budget,) = [each["spec"] for each in made if each["kind"] == "PodDisruptionBudget"]
    assert budget["minAvailable"] == 1
    policy = by_name["c-pods"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    assert {"ports": ports} in policy["egress"]
