"""What KubeRay has against a spec's manifests, said of the spec's own fields."""

import pytest

from raykit.manifests.judging import checking
from raykit.spec.load import inspect
from raykit.spec.problems import dotted

SPEC = """\
name: c
head:
  memory: 2Gi
  HEAD: x
workers:
- name: w
  memory: 1Gi
- name: v
  memory: 1Gi
  GROUP: x
"""


def judged(head="", group=""):
    """Path and line of each problem of a spec with further lines in the head and in a group."""
    text = SPEC.replace("HEAD: x", head or "cpu: 1").replace("GROUP: x", group or "cpu: 1")
    report = inspect(text)
    assert report.problems == ()
    found = checking.judge(report.spec, "1.6.2").problems
    return [(dotted(each.path), report.document.locate(each).line, each.message) for each in found]


def test_a_spec_without_odd_parts_has_no_problem():
    assert judged() == []


@pytest.mark.parametrize(
    ("where", "text", "path", "words"),
    [
        ("head", "affinity: {nodeAfinity: {}}", "head.affinity.nodeAfinity", "unknown field"),
        ("group", "affinity: {podAffinity: []}", "workers[1].affinity.podAffinity", "type object"),
        (
            "head",
            "patch: {spec: {hostNetwrok: true}}",
            "head.patch.spec.hostNetwrok",
            'did you mean "hostNetwork"',
        ),
        (
            "group",
            "patch: {spec: {containers: [{name: ray-worker, livenes: 1}]}}",
            "workers[1].patch.spec.containers[0].livenes",
            "unknown field",
        ),
        (
            "group",
            "patch: {spec: {containers: [{name: other}, {name: more, imag: x}]}}",
            "workers[1].patch.spec.containers[1].imag",
            "unknown field",
        ),
        (
            "head",
            "sidecars: [{name: a, image: b}, {name: d, image: b, spec: {port: 1}}]",
            "head.sidecars[1].spec.port",
            'did you mean "ports"',
        ),
        (
            "group",
            "initContainers: [{name: a, image: b, spec: {env: {}}}]",
            "workers[1].initContainers[0].spec.env",
            "type array",
        ),
        ("head", "patch: {spec: {containers: 5}}", "head.patch.spec.containers", "type array"),
    ],
)
def test_a_problem_of_a_manifest_names_the_part_of_the_spec(where, text, path, words):
    ((found, line, message),) = judged(**{where: text})
    assert (found, line) == (path, 4 if where == "head" else 10)
    assert words in message
    assert "(RayCluster c: spec." in message


def test_a_problem_of_a_patch_in_a_job_with_a_cluster_of_its_own_is_said_there_too():
    report = inspect(
        "name: c\nhead:\n  taskCpus: 1\n  memory: 2Gi\n  patch: {spec: {oops: 1}}\n"
        "jobs: [{name: own, job: fib, ownCluster: true}]\n"
    )
    problems = checking.judge(report.spec, "1.6.2").problems
    assert {dotted(each.path) for each in problems} == {"head.patch.spec.oops"}
    assert len(problems) == 2
