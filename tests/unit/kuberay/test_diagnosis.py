"""From what Kubernetes says to one line, whether waiting makes sense, and a command."""

import pytest

from raykit.kuberay import diagnosis, scheduling
from raykit.kuberay.explaining.scene import LATER, Scene
from raykit.kuberay.finding import Finding

NAMESPACE = "raykit"


def pod(state=None, *, last=None, restarts=0, conditions=(), name="head", image="raykit:1", **meta):
    container = {"name": "ray-head", "state": state or {}, "restartCount": restarts}
    if last:
        container["lastState"] = {"terminated": last}
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", **meta},
        "spec": {
            "containers": [
                {
                    "name": "ray-head",
                    "image": image,
                    "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "8"}},
                }
            ]
        },
        "status": {"conditions": list(conditions), "containerStatuses": [container]},
    }


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def event(reason, message="", kind="Warning", uid="uid-head"):
    return {
        "reason": reason,
        "message": message,
        "type": kind,
        "involvedObject": {"uid": uid},
    }


def first(*pods, context="kind-raykit", **scene):
    found = diagnosis.of_pods(Scene(context, pods=pods, **scene))
    return found[0] if found else None


def test_a_ready_pod_gives_nothing():
    assert first(pod(conditions=[{"type": "Ready", "status": "True"}])) is None


def test_raykits_own_image_missing_on_kind_says_image_load():
    finding = first(pod(waiting("ErrImagePull"), image="raykit:2.60.0-py311-abc"))
    assert finding.what == "image raykit:2.60.0-py311-abc cannot be had (ErrImagePull)"
    assert finding.next == "raykit image load --name raykit"
    assert finding.patience <= 20


def test_raykits_own_image_elsewhere_needs_a_registry():
    finding = first(pod(waiting("ImagePullBackOff")), context="prod")
    assert "registry" in finding.next


def test_another_image_that_cannot_be_pulled_is_quoted_with_the_kubelets_words():
    pull = event("Failed", 'Failed to pull image "x:1": not found')
    finding = first(pod(waiting("ImagePullBackOff", "back-off"), image="x:1"), events=[pull])
    assert finding.evidence == ('Failed to pull image "x:1": not found',)
    assert "`image` in the spec" in finding.next


@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "InvalidImageName"])
def test_what_no_retry_mends_ends_the_wait_at_once(reason):
    assert first(pod(waiting(reason, "why"))).patience == 0


def unschedulable(**meta):
    message = "0/3 nodes are available: 3 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod(conditions=[{**condition, "message": message}], **meta)


NODE = {
    "metadata": {"name": "n"},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}},
}


def machines(*pods, nodes=(), **more):
    """What these nodes say to these pods."""
    surveys = {scheduling.needs(pod): scheduling.Survey(pod) for pod in pods}
    for survey in surveys.values():
        for node in nodes:
            survey.add(node)
    return scheduling.Machines(surveys, **more)


def test_unschedulable_ends_the_wait_and_suggests_a_smaller_shape():
    stuck = unschedulable()
    finding = first(stuck, machines=machines(stuck, nodes=[NODE]))
    assert finding.what == "no Kubernetes node takes pod head"
    assert finding.evidence == (
        "node n: needs 8 cpu, has 2 in all",
        "Kubernetes says: 0/3 nodes are available: 3 Insufficient cpu.",
    )
    assert finding.next.startswith("choose a smaller shape")
    assert finding.patience <= 20


def test_unschedulable_without_a_look_at_the_nodes_is_told_in_the_schedulers_words():
    finding = first(unschedulable())
    assert finding.evidence == ("Kubernetes says: 0/3 nodes are available: 3 Insufficient cpu.",)


def test_pods_that_are_stuck_for_one_reason_are_one_finding():
    stuck = [unschedulable(name=f"worker-{at}") for at in range(4)]
    (finding,) = diagnosis.of_pods(
        Scene("kind-raykit", pods=stuck, machines=machines(*stuck, nodes=[NODE]))
    )
    assert finding.what == "no Kubernetes node takes 4 pods, such as worker-0"
    assert len(finding.evidence) == 2


def test_crashes_of_several_pods_are_one_finding_with_a_log():
    crashed = [pod(waiting("CrashLoopBackOff"), last=CRASH, restarts=3, name=n) for n in "ab"]
    (finding,) = diagnosis.of_pods(Scene("kind-raykit", pods=crashed))
    assert finding.what.endswith("3 restarts) (2 pods, such as a)")
    assert finding.log == (NAMESPACE, "a", "ray-head", True)


def test_unschedulable_for_another_cluster_of_raykits_names_that_one():
    roomy = {**NODE, "status": {"allocatable": {"cpu": "8", "pods": "9"}}}
    stuck = unschedulable(labels={"raykit.io/cluster": "big"})
    seen = machines(stuck, nodes=[roomy], clusters=("big", "single-node"))
    finding = first(stuck, machines=seen, context="my context")
    assert "raykit down single-node --context 'my context'" in finding.next


def test_unschedulable_may_pass_where_nodes_are_added_or_pods_are_ending():
    grows = event("TriggeredScaleUp", kind="Normal")
    stuck = unschedulable()
    assert first(stuck, events=[grows]).patience is None
    roomy = {**NODE, "status": {"allocatable": {"cpu": "8", "pods": "9"}}}
    assert first(stuck, machines=machines(stuck, nodes=[roomy], ending=True)).patience is None
    never = first(stuck, machines=machines(stuck, nodes=[NODE], ending=True))
    assert never.patience is not None


NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
SPOT = {"key": "spot", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taints", "cpu", "waits"),
    [([NOT_READY], "8", True), ([NOT_READY], "2", False), ([NOT_READY, SPOT], "8", False)],
)
def test_a_kubernetes_node_that_is_not_ready_has_a_minute_to_start(taints, cpu, waits):
    starting = {
        "metadata": {"name": "n"},
        "spec": {"taints": taints},
        "status": {"allocatable": {"cpu": cpu, "pods": "9"}},
    }
    stuck = unschedulable()
    finding = first(stuck, machines=machines(stuck, nodes=[NODE, starting]))
    assert finding.patience == (diagnosis.GROWTH_SECONDS if waits else LATER)
    assert finding.next.endswith(" get nodes") == waits


TEN = 1795687200
"""2026-11-26T10:00:00Z"""


def test_in_a_cloud_the_node_autoscaler_has_a_minute_to_answer_and_its_answer_counts():
    stuck = unschedulable()
    cloud = machines(stuck, nodes=[NODE], in_cloud=True)
    assert first(stuck, machines=cloud).patience == diagnosis.GROWTH_SECONDS
    assert first(stuck, machines=machines(stuck, nodes=[NODE])).patience <= 20
    message = "pod didn't trigger scale-up: 1 max node group size reached"
    no = event("NotTriggerScaleUp", message, kind="Normal")
    refused = first(stuck, machines=cloud, events=[no])
    assert refused.patience <= 20
    assert refused.evidence[-1] == f"the node autoscaler says: {message}"
    yes = event("TriggeredScaleUp", "0->1", kind="Normal")
    old, new = "2026-11-26T10:00:00Z", "2026-11-26T10:01:00Z"
    grows = first(stuck, events=[no | {"lastTimestamp": old}, yes | {"lastTimestamp": new}])
    assert grows.patience is None
    assert first(stuck, events=[yes | {"lastTimestamp": new}], now=TEN + 959).patience is None
    late = first(stuck, events=[yes | {"lastTimestamp": new}], now=TEN + 960)
    assert late.patience <= 20, "a node that was asked for a quarter of an hour ago does not come"
    was = first(stuck, machines=cloud, events=[no | {"lastTimestamp": old}], since=TEN + 9)
    assert was.patience == 18, "a node group that was too small may have been made larger"
    failed = event("FailedScaleUp", "GCE quota exceeded") | {"lastTimestamp": new}
    assert first(stuck, events=[failed, yes | {"lastTimestamp": old}]).patience is not None


OOM = {"reason": "OOMKilled", "exitCode": 137}
CRASH = {"reason": "Error", "exitCode": 1}


def test_out_of_memory_names_the_container_and_its_limit():
    finding = first(pod(waiting("CrashLoopBackOff"), last=OOM, restarts=1))
    assert finding.what == "container ray-head ran out of memory: its limit is 2Gi"
    assert finding.next == "give it more: `memory` in the spec"
    assert finding.patience == 0


def test_a_crash_loop_asks_for_the_log_of_the_run_before():
    finding = first(pod(waiting("CrashLoopBackOff"), last=CRASH, restarts=3))
    assert "ends again and again (exit code 1, 3 restarts)" in finding.what
    assert finding.log == (NAMESPACE, "head", "ray-head", True)


def test_a_container_that_lies_ended_has_its_log_in_this_run():
    finding = first(pod({"terminated": CRASH}, restarts=2))
    assert finding.log == (NAMESPACE, "head", "ray-head", False)


def test_one_restart_is_no_crash_loop():
    assert first(pod({"running": {}}, last=CRASH, restarts=1)) is None


@pytest.mark.parametrize("end", [OOM, CRASH])
def test_a_container_that_runs_again_may_become_ready(end):
    assert first(pod({"terminated": end}, restarts=2)).patience == 0
    assert first(pod({"running": {}}, last=end, restarts=2)).patience is None


@pytest.mark.parametrize("reason", ["PodInitializing", "ContainerCreating"])
def test_a_container_that_is_about_to_run_again_may_become_ready(reason):
    """Its Kubernetes node was started again, and the pod begins with its init containers."""
    assert first(pod(waiting(reason), last=CRASH, restarts=2)).patience is None


@pytest.mark.parametrize(("ran", "patience"), [("00:09:59", 0), ("00:10:00", None)])
@pytest.mark.parametrize("end", [OOM, CRASH])
def test_an_end_after_a_long_run_is_no_end_again_and_again(end, ran, patience):
    """Restarts count from the pod's first day."""
    times = {"startedAt": "2026-11-24T00:00:00Z", "finishedAt": f"2026-11-24T{ran}Z"}
    finding = first(pod({"terminated": end | times}, restarts=2))
    assert (finding and finding.patience) == patience


@pytest.mark.parametrize(("age", "told"), [(599, True), (600, False)])
def test_restarts_are_no_reason_once_a_container_runs_for_long(age, told):
    state = {"running": {"startedAt": "2026-11-24T00:00:00Z"}}
    assert bool(first(pod(state, last=CRASH, restarts=7), now=MIDNIGHT + age)) is told


def worker_that_ended(at):
    end = CRASH | {"finishedAt": f"2026-11-24T00:00:{at:02}Z"}
    labels = {"ray.io/node-type": "worker"}
    return pod(waiting("CrashLoopBackOff"), last=end, restarts=5, name="worker", labels=labels)


@pytest.mark.parametrize(("ended", "patience"), [(29, None), (30, 0)])
def test_a_worker_that_ended_while_its_head_was_not_ready_may_become_ready(ended, patience):
    """The head's Kubernetes node was down for minutes: its workers end, and back off."""
    assert first(head_ready(at=30), worker_that_ended(ended)).patience == patience
    alone = first(worker_that_ended(ended))
    assert alone.patience is None
    assert alone.evidence == ("it ended while its head was not ready, and is started again",)


EARLIER, IN_THE_WAIT = "2026-11-24T00:00:09Z", "2026-11-24T00:00:10Z"
MIDNIGHT = 1795478400
CANNOT_START = [
    ("ImagePullBackOff", event("BackOff", "Back-off pulling image", kind="Normal"), 8),
    ("ErrImageNeverPull", event("ErrImageNeverPull", "is not present"), 0),
    ("CreateContainerConfigError", event("Failed", 'Error: secret "x" not found'), 8),
]


@pytest.mark.parametrize(("reason", "failure", "limit"), CANNOT_START)
@pytest.mark.parametrize(
    ("made", "seen", "since", "is_now"),
    [
        (EARLIER, EARLIER, 10, False),
        (EARLIER, IN_THE_WAIT, 10, True),
        (EARLIER, None, 10, True),
        (IN_THE_WAIT, EARLIER, 10, True),
        (EARLIER, EARLIER, None, True),
    ],
)
def test_a_container_that_could_not_start_before_the_wait_is_given_the_kubelets_next_look(
    reason, failure, limit, made, seen, since, is_now
):
    """Somebody has loaded the image, or made the secret, and runs `up` again."""
    stuck = pod(waiting(reason, "why"), creationTimestamp=made)
    began = 0 if since is None else MIDNIGHT + since + 0.5
    finding = first(stuck, events=[failure | {"lastTimestamp": seen}], since=began)
    assert finding.patience == (limit if is_now else 18)


@pytest.mark.parametrize(("seen", "told"), [(EARLIER, True), (IN_THE_WAIT, False)])
def test_a_pull_that_is_not_tried_in_the_wait_says_how_it_is(seen, told):
    """The image has been pushed by now; kubelets wait up to 5 minutes until they try again."""
    stuck = pod(waiting("ImagePullBackOff", "why"), creationTimestamp=EARLIER)
    pull = event("Pulling", kind="Normal") | {"lastTimestamp": seen}
    finding = first(stuck, events=[pull], since=MIDNIGHT + 10)
    hint = "kubectl --context kind-raykit -n raykit delete pod head"
    assert finding.evidence[1:] == (
        (f"it was tried before this wait; tried at once by a new pod: {hint}",) if told else ()
    )


@pytest.mark.parametrize("state", [{"terminated": CRASH}, waiting("CrashLoopBackOff")])
@pytest.mark.parametrize(("ended", "patience"), [(EARLIER, 18), (IN_THE_WAIT, 0)])
def test_an_end_from_before_the_wait_is_given_the_next_start(state, ended, patience):
    """Its Kubernetes node was stopped in an orderly way: exit code 137, reason Error."""
    end = CRASH | {"finishedAt": ended}
    state = {key: end if key == "terminated" else value for key, value in state.items()}
    finding = first(pod(state, last=end, restarts=2), since=MIDNIGHT + 10)
    assert finding.patience == patience


def test_a_name_that_is_no_images_name_stays_none():
    stuck = pod(waiting("InvalidImageName", "why"), creationTimestamp=EARLIER)
    assert first(stuck, since=MIDNIGHT + 10).patience == 0


@pytest.mark.parametrize(("started", "told"), [("00:00:08", True), ("00:00:10", False)])
def test_a_warning_from_before_a_containers_start_has_passed(started, told):
    state = {"running": {"startedAt": f"2026-11-24T{started}Z"}}
    warning = event("FailedCreatePodSandBox", "no network yet") | {"lastTimestamp": EARLIER}
    assert bool(first(pod(state), events=[warning])) is told


@pytest.mark.parametrize(("reason", "code"), [("Unknown", 255), ("ContainerStatusUnknown", 137)])
@pytest.mark.parametrize("state", [{"running": {}}, waiting("CrashLoopBackOff")])
def test_a_container_that_went_down_with_its_kubernetes_node_did_not_crash(state, reason, code):
    assert first(pod(state, last={"reason": reason, "exitCode": code}, restarts=2)) is None


def test_a_container_that_cannot_be_made_is_quoted():
    finding = first(pod(waiting("CreateContainerConfigError", 'secret "x" not found')))
    assert finding.evidence == ('secret "x" not found',)
    assert finding.next == "kubectl --context kind-raykit -n raykit describe pod head"


def test_a_pod_that_is_ending_is_no_fault():
    finding = first(pod(waiting("CrashLoopBackOff"), deletionTimestamp="2026-11-24T00:00:00Z"))
    assert finding.what == "pod head is still ending"
    assert finding.patience is None


def on_lost_node(*more, **meta):
    conditions = [
        {"type": "Ready", "status": "False"},
        {"type": "ContainersReady", "status": "True"},
        *more,
    ]
    frozen = pod({"running": {}}, last=CRASH, restarts=2, conditions=conditions, **meta)
    frozen["spec"]["nodeName"] = "n"
    return frozen


def test_what_a_pod_suffered_before_its_kubernetes_node_was_lost_is_no_reason():
    """As Kubernetes' node controller marks it: no kubelet reports, and nothing else changes."""
    finding = first(on_lost_node())
    assert finding.what == "the Kubernetes node n of pod head does not answer"
    assert finding.patience is None
    assert finding.next == "kubectl --context kind-raykit describe node n"
    ending = first(on_lost_node(deletionTimestamp="2026-11-24T00:00:00Z"))
    assert ending.what == "pod head is still ending"
    assert ending.evidence == (finding.what,)


def test_a_pod_that_waits_for_a_readiness_gate_is_on_no_lost_node():
    gated = on_lost_node()
    gated["spec"]["readinessGates"] = [{"conditionType": "mesh/ready"}]
    assert "ends again and again" in first(gated).what


def test_a_warning_is_shown_while_nothing_graver_is_known():
    finding = first(pod(), events=[event("FailedMount", "no such volume")])
    assert (finding.what, finding.evidence) == ("pod head: FailedMount", ("no such volume",))
    assert finding.patience is None


def test_events_of_other_objects_do_not_count():
    assert first(pod(), events=[event("FailedMount", uid="another")]) is None


def head_ready(at):
    """A head that is ready since so many seconds after midnight."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": f"2026-11-24T00:00:{at:02}Z"}
    head = pod(conditions=[ready])
    head["metadata"]["labels"] = {"ray.io/node-type": "head"}
    return head


@pytest.mark.parametrize(("age", "told"), [(49, False), (51, True)])
def test_an_init_container_that_does_not_reach_a_ready_head_hints_at_dns(age, told):
    started = {"running": {"startedAt": "2026-11-24T00:00:00Z"}}
    worker = pod(name="worker")
    worker["status"]["initContainerStatuses"] = [{"name": "wait-gcs-ready", "state": started}]
    finding = first(head_ready(at=30), worker, now=1795478400 + age)
    assert bool(finding) is told
    if told:
        assert "DNS" in finding.next
        assert finding.log == (NAMESPACE, "worker", "wait-gcs-ready", False)
        assert finding.patience == 100
    assert first(worker, now=1795478400 + 500) is None, "the head is not ready: it rightly waits"
    old = head_ready(at=30)
    old["metadata"]["deletionTimestamp"] = "2026-11-24T00:01:00Z"
    assert first(old, worker, now=1795478400 + 500) is None, "it is ending, and says it is ready"


def test_what_ends_the_wait_comes_first():
    quiet, grave = pod(name="quiet"), pod(waiting("ErrImagePull"), name="grave")
    warned = event("FailedMount", uid="uid-quiet")
    found = diagnosis.of_pods(Scene("kind-raykit", pods=[quiet, grave], events=[warned]))
    assert [each.patience is None for each in found] == [False, True]


def cluster(*conditions, state="", generation=1):
    return {
        "metadata": {"name": "c", "namespace": NAMESPACE, "uid": "uid-c", "generation": generation},
        "status": {"conditions": list(conditions), "state": state, "observedGeneration": 1},
    }


def test_what_a_pod_of_an_earlier_spec_suffers_ends_no_wait():
    """A larger `memory` was applied, and the head that lacks it is there until KubeRay looks."""
    scene = Scene("kind-raykit", pods=[pod(waiting("CrashLoopBackOff"), last=OOM, restarts=3)])
    (finding,) = diagnosis.of_cluster(cluster(generation=2), scene)
    assert (finding.patience, finding.past) == (None, True)
    (finding,) = diagnosis.of_cluster(cluster(), scene)
    assert (finding.patience, finding.past) == (0, False)


def test_a_cluster_is_not_suspended_once_it_is_to_run():
    suspended = {"type": "RayClusterSuspended", "status": "True", "reason": "", "message": ""}
    assert diagnosis.of_cluster(cluster(suspended, generation=2), Scene("kind-raykit")) == []


def test_a_suspended_cluster_is_no_error():
    suspended = {"type": "RayClusterSuspended", "status": "True", "reason": "", "message": ""}
    (finding,) = diagnosis.of_cluster(cluster(suspended), Scene("kind-raykit"))
    assert (finding.key, finding.patience) == ("suspended", None)
    assert finding.evidence == ("someone set spec.suspend",)


def test_a_suspended_cluster_in_a_queue_says_where_it_waits():
    queued = Finding("queued", "QUEUED in team: no room", queued=True)
    held = cluster()
    held["spec"] = {"suspend": True}
    assert diagnosis.of_cluster(held, Scene("kind-raykit", queued=queued)) == [queued]
