"""KubeRay's schema as raykit ships it: what it refuses, and for which version."""

import pytest

from raykit.errors import UsageError
from raykit.manifests import schema
from raykit.manifests.render import render
from raykit.spec.load import load
from raykit.spec.problems import dotted

GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"


@pytest.fixture
def manifest():
    return render(load(GROUP), image="raykit:x")[0]


def refused(manifest, kuberay=schema.DEFAULT):
    return [(dotted(p.path), p.message) for p in schema.check(manifest, kuberay)]


@pytest.mark.parametrize("kuberay", schema.versions())
def test_what_is_rendered_is_valid_for_each_version(manifest, kuberay):
    assert refused(manifest, kuberay) == []


def test_both_supported_versions_are_known():
    assert schema.versions() == ["1.6.2", "1.7.0"]


def test_an_unknown_version_is_wrong_usage(manifest):
    with pytest.raises(UsageError, match=r"KubeRay 1\.5\.0"):
        schema.check(manifest, "1.5.0")


def put(manifest, path, value):
    *parents, last = path
    for part in parents:
        manifest = manifest[part]
    manifest[last] = value


HEAD_POD = ("spec", "headGroupSpec", "template", "spec")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("spec", "rayVersoin"), "2.60.0", 'did you mean "rayVersion"'),
        (("spec", "rayVersion"), 2.6, "type string"),
        (("spec", "authOptions", "mode"), "open", "one of disabled, token"),
        (("spec", "workerGroupSpecs", 0, "replicas"), "2", "type integer"),
        (("spec", "workerGroupSpecs", 0, "replicas"), True, "type integer"),
        (("spec", "workerGroupSpecs", 0, "maxReplicas"), 2**31, "32 bits"),
        (("spec", "workerGroupSpecs", 0, "minReplicas"), None, "has no value"),
        (("spec", "workerGroupSpecs"), {}, "type array"),
        ((*HEAD_POD, "containers", 0, "resources", "limits", "memory"), "1GB", "does not match"),
        (
            (*HEAD_POD, "containers", 0, "resources", "limits", "memory"),
            1.5,
            "whole number or text",
        ),
        ((*HEAD_POD, "containers", 0, "imagePullPolicie"), "Never", "imagePullPolicy"),
        ((*HEAD_POD, "automountServiceAccountToken"), "false", "type boolean"),
        (("metadata", "label"), {}, 'did you mean "labels"'),
        (("metadata", "labels", "a"), 1, "type string"),
        (("kind",), "RayClutser", "must be one of RayCluster"),
        (("apiVersion",), "ray.io/v1alpha1", "ray.io/v1"),
    ],
)
def test_a_wrong_field_is_refused_where_it_stands(manifest, path, value, words):
    put(manifest, path, value)
    ((where, message),) = refused(manifest)
    assert words in message
    assert where in {dotted(path), "kind"}


def test_a_missing_field_is_refused(manifest):
    del manifest["spec"]["workerGroupSpecs"][0]["groupName"]
    assert refused(manifest) == [("spec.workerGroupSpecs[0].groupName", "is required")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "networkPolicy"), {}),
        (("spec", "tlsOptions"), {}),
        (("spec", "historyServerOptions"), {}),
        (("spec", "headGroupSpec", "ingressOptions"), {}),
        (("spec", "workerGroupSpecs", 0, "priority"), 1),
        (("spec", "autoscalerOptions"), {"args": []}),
        (("spec", "autoscalerOptions"), {"command": []}),
        (("spec", "gcsFaultToleranceOptions"), {"backend": "redis", "redisAddress": "a"}),
        (("spec", "gcsFaultToleranceOptions"), {"storage": {}, "redisAddress": "a"}),
    ],
)
def test_a_field_of_1_7_is_refused_for_1_6_with_the_version_it_needs(manifest, path, value):
    put(manifest, path, value)
    assert [m for _, m in refused(manifest)] == ["needs KubeRay 1.7.0: 1.6.2 does not have it"]
    assert not any("needs KubeRay" in m for _, m in refused(manifest, "1.7.0"))


def test_a_field_that_1_7_gave_up_is_refused_for_it(manifest):
    put(manifest, (*HEAD_POD, "workloadRef"), {})
    messages = [message for _, message in refused(manifest, "1.7.0")]
    assert messages == ["needs KubeRay 1.6.2: 1.7.0 does not have it"]
