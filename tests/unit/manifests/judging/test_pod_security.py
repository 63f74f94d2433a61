"""Pod Security of the pods that KubeRay will make, field by field.

`tests/contract/test_pod_security.py` compares the same with Kubernetes' own evaluator.
"""

import copy

import pytest
import yaml

from raykit.manifests.judging import pod_security
from raykit.manifests.judging.pod_security import BASELINE, PRIVILEGED, RESTRICTED
from raykit.manifests.render import render
from raykit.spec.load import load
from raykit.spec.problems import dotted

SCALED = """\
name: c
head: {memory: 2Gi}
workers: [{name: w, memory: 1Gi, maxReplicas: 2}]
autoscaling: {enabled: true}
jobs: [{name: a, job: fib}, {name: own, job: fib, ownCluster: true}]
"""
RENDERED = render(load(SCALED), image="raykit:x")
CLUSTER, JOB, OWN = RENDERED
HEAD = "spec.headGroupSpec.template.spec"
GROUP = "spec.workerGroupSpecs[0].template.spec"
SUBMITTER = "spec.submitterPodTemplate.spec"


def refused(made, level=RESTRICTED):
    return [dotted(each.path) for each in pod_security.problems(made, level)]


def put(made, path, value):
    """A copy of a manifest with one value set, or removed where it is None."""
    made = copy.deepcopy(made)
    holder = made
    *parents, last = path
    for part in parents:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return made


@pytest.mark.parametrize("made", RENDERED, ids=["cluster", "job", "own"])
def test_what_raykit_renders_is_admitted(made):
    assert refused(made) == []


POD = ("spec", "headGroupSpec", "template", "spec")
RAY = (*POD, "containers", 0)
CONTEXT = (*RAY, "securityContext")
NAMED = f"{HEAD}.containers[0]"


@pytest.mark.parametrize(
    ("path", "value", "said", "level"),
    [
        ((*POD, "hostNetwork"), True, f"{HEAD}.hostNetwork", BASELINE),
        ((*POD, "hostPID"), True, f"{HEAD}.hostPID", BASELINE),
        (
            (*POD, "volumes"),
            [{"name": "a", "hostPath": {"path": "/"}}],
            f"{HEAD}.volumes[0].hostPath",
            BASELINE,
        ),
        (
            (*RAY, "ports"),
            [{"hostPort": 1, "containerPort": 1}],
            f"{NAMED}.ports[0].hostPort",
            BASELINE,
        ),
        ((*CONTEXT, "privileged"), True, f"{NAMED}.securityContext.privileged", BASELINE),
        (
            (*CONTEXT, "capabilities"),
            {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
            f"{NAMED}.securityContext.capabilities.add",
            BASELINE,
        ),
        (
            (*CONTEXT, "seccompProfile"),
            {"type": "Unconfined"},
            f"{NAMED}.securityContext.seccompProfile.type",
            BASELINE,
        ),
        (
            (*RAY, "lifecycle"),
            {"preStop": {"httpGet": {"port": 1, "host": "h"}}},
            f"{NAMED}.lifecycle.preStop.httpGet.host",
            BASELINE,
        ),
        (
            (*POD, "volumes"),
            [{"name": "a", "nfs": {}}],
            f"{HEAD}.volumes[0]",
            RESTRICTED,
        ),
        (
            (*CONTEXT, "allowPrivilegeEscalation"),
            None,
            f"{NAMED}.securityContext.allowPrivilegeEscalation",
            RESTRICTED,
        ),
        (
            (*CONTEXT, "capabilities", "drop"),
            ["KILL"],
            f"{NAMED}.securityContext.capabilities.drop",
            RESTRICTED,
        ),
        (
            (*CONTEXT, "capabilities", "add"),
            ["CHOWN"],
            f"{NAMED}.securityContext.capabilities.add",
            RESTRICTED,
        ),
        ((*CONTEXT, "runAsUser"), 0, f"{NAMED}.securityContext.runAsUser", RESTRICTED),
        ((*CONTEXT, "runAsNonRoot"), False, f"{NAMED}.securityContext.runAsNonRoot", RESTRICTED),
    ],
)
def test_a_field_is_refused_from_its_level_on(path, value, said, level):
    made = put(CLUSTER, path, value)
    assert refused(made, RESTRICTED) == [said]
    assert refused(made, BASELINE) == ([said] if level == BASELINE else [])
    assert refused(made, PRIVILEGED) == []


def test_what_the_pod_says_counts_for_silent_containers():
    made = put(CLUSTER, (*CONTEXT, "runAsNonRoot"), None)
    assert refused(made) == []
    silent = put(made, (*POD, "securityContext", "runAsNonRoot"), None)
    assert refused(silent) == [f"{HEAD}.securityContext.runAsNonRoot"]


def test_the_autoscaler_that_kuberay_adds_takes_its_context_from_the_options():
    made = put(CLUSTER, ("spec", "autoscalerOptions", "securityContext"), None)
    assert refused(made) == [
        "spec.autoscalerOptions.securityContext.allowPrivilegeEscalation",
        "spec.autoscalerOptions.securityContext.capabilities.drop",
    ]


def test_the_submitter_is_a_pod_too():
    assert refused(put(JOB, ("spec", "submitterPodTemplate"), None)) == [
        f"{SUBMITTER}.containers[0].securityContext.allowPrivilegeEscalation",
        f"{SUBMITTER}.containers[0].securityContext.capabilities.drop",
        f"{SUBMITTER}.securityContext.runAsNonRoot",
        f"{SUBMITTER}.securityContext.seccompProfile.type",
    ]
    by_http = put(JOB, ("spec", "submissionMode"), "HTTPMode")
    assert refused(put(by_http, ("spec", "submitterPodTemplate"), None)) == []


def test_the_submitter_beside_the_head_has_no_context_at_all():
    made = put(OWN, ("spec", "submissionMode"), "SidecarMode")
    paths = refused(put(made, ("spec", "submitterPodTemplate"), None))
    assert paths == [
        "spec.submissionMode.securityContext.allowPrivilegeEscalation",
        "spec.submissionMode.securityContext.capabilities.drop",
    ]


def test_the_cluster_of_a_job_of_a_service_and_of_a_cron_job_is_looked_into():
    for holder, prefix in (
        ({"kind": "RayService", "spec": {"rayClusterConfig": CLUSTER["spec"]}}, "rayClusterConfig"),
        (
            {"kind": "RayCronJob", "spec": {"jobTemplate": OWN["spec"]}},
            "jobTemplate.rayClusterSpec",
        ),
    ):
        assert refused(holder) == []
        path = ["spec", *prefix.split("."), *POD[1:], "hostIPC"]
        assert refused(put(holder, path, True)) == [dotted(tuple(path))]


@pytest.mark.parametrize(
    ("levels", "strictest"),
    [
        ((), None),
        ((None, None), None),
        ((BASELINE, None), BASELINE),
        ((BASELINE, RESTRICTED), RESTRICTED),
        ((PRIVILEGED, BASELINE), BASELINE),
        (("typo", None), RESTRICTED),
    ],
)
def test_the_stricter_level_counts_and_one_that_is_none_is_the_strictest(levels, strictest):
    assert pod_security.stricter(*levels) == strictest


def test_odd_values_are_no_reason_to_fail():
    text = (
        "{kind: RayCluster, spec: {headGroupSpec: {template: {spec: {containers: [1, {}], x: 2}}}}}"
    )
    assert refused(yaml.safe_load(text))
    for spec in (None, [], "x", {"headGroupSpec": 3}, {"workerGroupSpecs": [None, 1, {}]}):
        assert isinstance(refused({"kind": "RayCluster", "spec": spec}), list)
