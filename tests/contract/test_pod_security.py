"""`validate`'s Pod Security against Kubernetes' own evaluator, on pods as KubeRay makes them."""

import copy
import json
import random

import pytest
import yaml

from raykit import kit
from raykit.manifests import schema
from raykit.manifests.judging import pod_security
from raykit.manifests.render import render
from raykit.spec.load import load, load_file
from tests.unit.manifests.kuberay_pods import pods_of

CLUSTERS = kit.root() / "deploy" / "clusters"
FULL = kit.root() / "tests" / "unit" / "spec" / "full.yaml"
SAMPLES = kit.root().parent / "shared" / "kuberay" / "samples"
TRIES = 1000

POD_FIELDS = {
    "hostNetwork": [True, False],
    "hostPID": [True],
    "hostUsers": [True, False],
    "volumes": [
        [{"name": "a", "hostPath": {"path": "/"}}],
        [{"name": "a", "nfs": {"server": "s", "path": "/"}}],
        [{"name": "a", "emptyDir": {}}, {"name": "b", "csi": {"driver": "d"}}],
        [{"name": "a"}],
    ],
}
CONTEXT_FIELDS = {
    "runAsNonRoot": [True, False, None],
    "runAsUser": [0, 7, None],
    "seccompProfile": [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {}, None],
    "appArmorProfile": [{"type": "Localhost", "localhostProfile": "a"}, {"type": "Unconfined"}],
    "seLinuxOptions": [{"type": "container_t"}, {"type": "spc_t"}, {"user": "u"}, {"role": "r"}],
    "windowsOptions": [{"hostProcess": True}, {"hostProcess": False}],
}
SYSCTLS = [[{"name": "net.ipv4.tcp_rmem", "value": "1"}], [{"name": "kernel.sem", "value": "1"}]]
OF_POD = {**CONTEXT_FIELDS, "sysctls": SYSCTLS}
OF_CONTAINER = {
    **CONTEXT_FIELDS,
    "allowPrivilegeEscalation": [True, False, None],
    "privileged": [True, False],
    "procMount": ["Default", "Unmasked"],
    "capabilities": [
        *({"drop": ["ALL"]}, {"drop": ["KILL"]}, {}, {"drop": ["ALL"], "add": ["CHOWN"]}),
        *({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, {"add": ["SYS_ADMIN"]}),
        *({"drop": ["ALL"], "add": ["SYS_ADMIN"]}, None),
    ],
}
CONTAINER_FIELDS = {
    "ports": [[{"containerPort": 1, "hostPort": 1}], [{"containerPort": 1, "hostPort": 0}]],
    "livenessProbe": [{"httpGet": {"port": 1, "host": "h"}}, {"tcpSocket": {"port": 1}}],
    "lifecycle": [{"preStop": {"tcpSocket": {"port": 1, "host": "h"}}}, {}],
}
ANNOTATION = "container.apparmor.security.beta.kubernetes.io/a"


def inside(holder, key):
    """The mapping below a key, made if there is none."""
    holder[key] = holder.get(key) or {}
    return holder[key]


def changed(chosen, holder, fields):
    """Set or remove one of some fields."""
    key = chosen.choice(sorted(fields))
    value = copy.deepcopy(chosen.choice(fields[key]))
    if value is None:
        holder.pop(key, None)
    else:
        holder[key] = value


def holders(made):
    """The pod templates and the autoscaler's options of a manifest."""
    found = []

    def walk(node):
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            if isinstance(node.get("spec"), dict) and "containers" in node["spec"]:
                found.append(node)
            for value in node.values():
                walk(value)

    walk(made["spec"])
    return found


def mutated(chosen, made):
    """A manifest with one to three changes that may matter to Pod Security."""
    made = copy.deepcopy(made)
    for _ in range(chosen.randint(1, 3)):
        template = chosen.choice(holders(made))
        pod, kind = template["spec"], chosen.randrange(6)
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        options = made["spec"].get("autoscalerOptions")
        if kind == 0:
            changed(chosen, pod, POD_FIELDS)
        elif kind == 1:
            changed(chosen, inside(pod, "securityContext"), OF_POD)
        elif kind == 2:
            changed(chosen, chosen.choice(containers), CONTAINER_FIELDS)
        elif kind == 3 and options is not None:
            changed(chosen, inside(options, "securityContext"), OF_CONTAINER)
        elif kind == 4:
            value = chosen.choice(["runtime/default", "unconfined", "localhost/a"])
            inside(template, "metadata")["annotations"] = {ANNOTATION: value}
        else:
            own = inside(chosen.choice(containers), "securityContext")
            changed(chosen, own, OF_CONTAINER)
    return made


@pytest.fixture(scope="module")
def bases():
    """Manifests of every kind, those of KubeRay's samples included where they are."""
    job = "jobs: [{name: a, job: fib}, {name: b, job: fib, ownCluster: true}]\n"
    shapes = [load_file(path) for path in sorted(CLUSTERS.glob("*.yaml"))]
    specs = [*shapes, load_file(FULL), load("name: c\nhead: {taskCpus: 1, memory: 2Gi}\n" + job)]
    made = [each for spec in specs for each in render(spec, image="raykit:x")]
    for path in sorted(SAMPLES.glob("*.yaml")):
        made += [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]
    return [each for each in made if schema.is_rays(each)]


def judged(kubernetes_says, manifests, level):
    """For each manifest: what Kubernetes says of its pods, and what raykit says."""
    pods = [pods_of(made) for made in manifests]
    flat = [{"level": level, **pod} for own in pods for pod in own]
    verdicts = iter(json.loads(kubernetes_says(json.dumps(flat))))
    theirs = [[reason for _ in own for reason in next(verdicts)] for own in pods]
    return theirs, [pod_security.problems(made, level) for made in manifests]


@pytest.mark.parametrize("level", [pod_security.BASELINE, pod_security.RESTRICTED])
def test_raykit_refuses_exactly_the_pods_that_kubernetes_refuses(kubernetes_says, bases, level):
    chosen = random.Random(15)
    manifests = [*bases, *(mutated(chosen, chosen.choice(bases)) for _ in range(TRIES))]
    theirs, ours = judged(kubernetes_says, manifests, level)
    for made, reasons, problems in zip(manifests, theirs, ours, strict=True):
        assert bool(reasons) == bool(problems), (reasons, problems, json.dumps(made))
    refused = sum(map(bool, theirs))
    assert min(refused, len(theirs) - refused) > 50


def test_kubernetes_admits_every_pod_of_every_shape_to_restricted(kubernetes_says, bases):
    own = [made for made in bases if "app.kubernetes.io/managed-by" in str(made["metadata"])]
    theirs, _ = judged(kubernetes_says, own, pod_security.RESTRICTED)
    assert [reasons for reasons in theirs if reasons] == []
    assert len(own) > 8
