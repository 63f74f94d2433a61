"""What a spec says of volumes, accelerators, jobs, network: every key once, and each rule."""

from pathlib import Path

import pytest
import yaml

from raykit.spec.load import inspect, load
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import dotted

FULL = Path(__file__).with_name("full.yaml")
HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
GROUP = "name: c\nhead: {memory: 2Gi}\nworkers: [{name: w, memory: 1Gi, maxReplicas: 2}]\n"


def refused(text):
    return [(dotted(problem.path), problem.message) for problem in inspect(text).problems]


def keys(model, path=""):
    """Every key that a spec knows, lists and mappings of parts included."""
    for field in model.model_fields.values():
        here = f"{path}.{field.alias}" if path else field.alias
        yield here
        for inner in parts_of(field.annotation):
            yield from keys(inner, here)


def parts_of(annotation):
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [part for each in getattr(annotation, "__args__", ()) for part in parts_of(each)]


def written(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from written(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from written(inner, path)


def test_the_full_spec_uses_every_key():
    text = yaml.safe_load(FULL.read_text("utf-8"))
    groups = {
        key.replace("workers.", "head.") for key in written(text) if key.startswith("workers.")
    }
    there = {*written(text), *groups, *(key.replace("head.", "workers.") for key in written(text))}
    exempt = {"head.taskCpus", "workers.replicas", "networkPolicy.openEgress"}
    assert set(keys(ClusterSpec)) - there - exempt == set()


def test_every_key_is_documented():
    def undocumented(model):
        for name, field in model.model_fields.items():
            if not (field.description or "").strip().endswith((".", "]")):
                yield f"{model.__name__}.{name}"
            for inner in parts_of(field.annotation):
                yield from undocumented(inner)

    assert sorted(set(undocumented(ClusterSpec))) == []


def test_the_full_spec_is_valid():
    assert load(FULL.read_bytes()).name == "full"


@pytest.mark.parametrize(
    ("lines", "path", "words"),
    [
        ("  volumes: [{name: a, mountPath: /a}]", "head.volumes[0]", "exactly one source"),
        (
            "  volumes: [{name: a, mountPath: /a, claim: c, secret: s}]",
            "head.volumes[0]",
            "claim and secret",
        ),
        ("  volumes: [{name: a, mountPath: a, claim: c}]", "head.volumes[0].mountPath", "absolute"),
        ("  volumes: [{name: a, mountPath: /a/../b, claim: c}]", "head.volumes[0].mountPath", "ab"),
        (
            "  volumes: [{name: a, mountPath: /tmp/, claim: c}]",
            "head.volumes[0].mountPath",
            "taken",
        ),
        ("  volumes: [{name: tmp, mountPath: /a, claim: c}]", "head.volumes[0].name", "own"),
        ("  volumes: [{name: A_b, mountPath: /a, claim: c}]", "head.volumes[0].name", "lower-case"),
        ("  volumes: [{name: a, mountPath: /a, scratch: 0}]", "head.volumes[0].scratch", "above 0"),
        (
            "  volumes: [{name: a, mountPath: /a, claim: c}, {name: a, mountPath: /b, claim: c}]",
            "head.volumes[0].name",
            "more than one",
        ),
        (
            "  volumes: [{name: a, mountPath: /a, claim: c}, {name: b, mountPath: /a/, claim: c}]",
            "head.volumes[1].mountPath",
            "more than once",
        ),
        ("  envFrom: [{}]", "head.envFrom[0]", "exactly one"),
        ("  envFrom: [{secret: a, configMap: b}]", "head.envFrom[0]", "exactly one"),
        ("  gpu: 0", "head.gpu", "greater than or equal to 1"),
        ("  gpuResource: amd.com/gpu", "head.gpuResource", "without gpu"),
        ("  gpu: 1\n  gpuResource: gpu", "head.gpuResource", "no extended resource"),
        ("  accelerators: {cpu: 1}", "head.accelerators.cpu", "no accelerator"),
        (
            "  gpu: 1\n  accelerators: {nvidia.com/gpu: 1}",
            "head.accelerators.nvidia.com/gpu",
            "already",
        ),
        ("  ephemeralStorage: 1Gi", "head.ephemeralStorage", "below tmpStorage"),
        ('  rayStartParams: {num-cpus: "3"}', "head.rayStartParams.num-cpus", "taskCpus sets it"),
        ('  rayStartParams: {--x: "3"}', "head.rayStartParams.--x", "without the dashes"),
        ("  rayStartParams: {x: 3}", "head.rayStartParams.x", 'quote it, "3"'),
        ("  resources: {CPU: 1}", "head.resources.CPU", "taskCpus, gpu and memory"),
        ("  resources: {a: 0}", "head.resources.a", "greater than 0"),
        ("  sidecars: [{name: ray-head, image: a}]", "head.sidecars[0].name", "Ray's pods"),
        (
            "  sidecars: [{name: a, image: a}]\n  initContainers: [{name: a, image: b}]",
            "head.sidecars[0].name",
            "more than one",
        ),
        (
            "  sidecars: [{name: a, image: b, spec: {image: c}}]",
            "head.sidecars[0].spec.image",
            "beside spec",
        ),
        ("  labels: {ray.io/x: a}", "head.labels.ray.io/x", "find pods"),
        ("  topologySpread: [{maxSkew: 0}]", "head.topologySpread[0].maxSkew", "greater than"),
        ("auth: {mode: disabled, secretName: a}", "auth.secretName", "without mode: token"),
        ("jobs: [{name: a}]", "jobs[0]", "exactly one of job, entrypoint"),
        ("jobs: [{name: a, job: fib, entrypoint: [x]}]", "jobs[0]", "exactly one"),
        ("jobs: [{name: a, entrypoint: []}]", "jobs[0].entrypoint", "is empty"),
        ("jobs: [{name: a, job: x}, {name: a, job: y}]", "jobs[0].name", "more than one job"),
        ("jobs: [{name: A, job: x}]", "jobs[0].name", "lower-case"),
        (
            "jobs: [{name: a, job: x, deadlineSeconds: 5, startDeadlineSeconds: 6}]",
            "jobs[0].startDeadlineSeconds",
            "above deadlineSeconds",
        ),
        ("jobs: [{name: a, job: x, ttlSeconds: 5}]", "jobs[0].ttlSeconds", "needs ownCluster"),
        ("networkPolicy: {apiServer: [10.0.0.1/32]}", "networkPolicy.apiServer", "enabled: true"),
        ("networkPolicy: {apiServer: [10.0.0.1/8]}", "networkPolicy.apiServer[0]", "host bits"),
        (
            "networkPolicy: {enabled: true, openEgress: true, egress: [{cidr: 10.0.0.0/8}]}",
            "networkPolicy.egress",
            "nothing to add",
        ),
        ("monitoring: {interval: 10s}", "monitoring.interval", "enabled: true"),
        ("monitoring: {enabled: true, interval: 10}", "monitoring.interval", "quote it"),
        ("monitoring: {enabled: true, interval: ten}", "monitoring.interval", "no duration"),
        ("autoscaling: {memory: 1Gi}", "autoscaling.memory", "enabled: true"),
        ("kuberay: 1.5.0", "kuberay", "not known here"),
        ("upgrade: Rolling", "upgrade", "must be Recreate or None"),
        ("pullSecrets: [A]", "pullSecrets[0]", "no name of an object"),
    ],
)
def test_a_wrong_key_is_named_with_its_path(lines, path, words):
    problems = refused(HEAD + lines + "\n")
    assert any(where == path and words in message for where, message in problems), problems


def test_a_name_that_a_rayjob_cannot_hold_is_refused():
    long = "c" * 30
    text = HEAD.replace("name: c", f"name: {long}") + "jobs: [{name: too-long-a-name, job: fib}]\n"
    assert "jobs[0].name" in dict(refused(text))


def test_autoscaling_behind_network_policies_needs_the_api_server():
    text = GROUP + "autoscaling: {enabled: true}\nnetworkPolicy: {enabled: true}\n"
    assert "networkPolicy.apiServer" in dict(refused(text))


def test_a_groups_idle_time_out_needs_the_autoscaler():
    text = GROUP.replace("maxReplicas: 2", "idleTimeoutSeconds: 5")
    assert "workers[0].idleTimeoutSeconds" in dict(refused(text))


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("networkPolicy: {enabled: true}\n", "networkPolicy.apiServer"),
        ("autoscaling: {enabled: true}\nqueue: q\n", "queue"),
    ],
)
def test_what_is_allowed_and_doubtful_is_said(lines, path):
    assert path in [dotted(each.path) for each in inspect(GROUP + lines).warnings]
