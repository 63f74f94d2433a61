"""The verdict on one resource: its version of the API, and what the API server writes itself."""

from raykit.manifests.judging import resource
from raykit.manifests.render import render
from raykit.spec.load import load
from raykit.spec.problems import dotted

GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"


def cluster(**changes):
    return {**render(load(GROUP), image="raykit:x")[0], **changes}


def test_the_alpha_version_is_judged_as_the_stable_one_and_said():
    made = cluster(apiVersion="ray.io/v1alpha1")
    verdict = resource.judge(made, "1.7.0")
    assert verdict.problems == ()
    (warning,) = verdict.warnings
    assert warning.path == ("apiVersion",)
    assert "write ray.io/v1" in warning.message
    made["spec"] = {**made["spec"], "rayVersoin": "2"}
    assert [dotted(each.path) for each in resource.judge(made, "1.7.0").problems] == [
        "spec.rayVersoin"
    ]


def test_a_version_that_does_not_exist_is_refused():
    (problem,) = resource.judge(cluster(apiVersion="ray.io/v2"), "1.7.0").problems
    assert (problem.path, problem.message) == (("apiVersion",), "must be ray.io/v1")


def test_an_object_as_the_api_server_returns_it_is_valid():
    made = cluster(status={"state": "ready"})
    made["metadata"] = {
        **made["metadata"],
        "uid": "1",
        "generation": 3,
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
    }
    assert resource.judge(made, "1.6.2").problems == ()
