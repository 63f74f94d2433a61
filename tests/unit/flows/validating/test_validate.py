"""`raykit validate` on files of every kind: problems and warnings with their lines."""

import pytest

from raykit.flows.validating import report
from raykit.flows.validating.validate import validate

HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"


@pytest.fixture
def judged(tmp_path):
    """The verdict on a text in a file of its own."""

    def judge(text, **options):
        path = tmp_path / "file.yaml"
        path.write_text(text)
        (one,) = validate([path], **options).files
        return one

    return judge


def test_flow_style_manifests_are_manifests(judged):
    one = judged("{apiVersion: ray.io/v1, kind: RayCluster, metadata: {name: c}, spec: {}}\n")
    assert (one.kind, one.checked) == ("manifests", 1)
    assert [report.place(each) for each in one.problems] == [
        "1:64: spec.headGroupSpec: is required"
    ]


def test_a_rendered_field_that_is_wrong_has_the_line_of_the_spec(judged):
    one = judged(HEAD + "  patch:\n    spec:\n      oops: 1\n")
    (problem,) = one.problems
    assert report.place(problem).startswith("7:13: head.patch.spec.oops: unknown field")


def places(one):
    return [report.place(each).partition(": ")[0] for each in one.problems]


def test_a_wrong_field_hides_no_unknown_field_in_a_patch_or_a_container(judged):
    beside = (
        "  patch: {spec: {oops: 1}}\n  sidecars: [{name: s, image: i, spec: {oops: 1}}]\n"
        "  affinity: {oops: 1}\nhaed: 1\n"
    )
    assert places(judged(HEAD.replace("4Gi", "4GB") + beside)) == [
        *("4:11", "5:24", "6:47", "7:20", "8:1"),
    ]
    # Of what the wrong field stands for nothing is said: another KubeRay may know the patch.
    assert places(judged(HEAD + "  patch: {spec: {oops: 1}}\nkuberay: 1.7\n")) == ["6:10"]
    beside = "  sidecars: [{name: s, image: I, spec: {a: 1}}]\n"
    assert places(judged(HEAD + beside)) == ["5:31", "5:44"]


@pytest.mark.parametrize("kind", ["[RayJob]", "{a: 1}", "5", "null"])
def test_a_kind_that_is_no_text_is_a_problem_and_no_crash(judged, kind):
    one = judged(f"apiVersion: ray.io/v1\nkind: {kind}\nmetadata: {{name: c}}\nspec: {{}}\n")
    assert [each.path for each in one.problems] == [("kind",)]


@pytest.mark.parametrize("value", ["5", "text", "[1]", "{a: 1}", "null"])
def test_a_security_context_of_a_wrong_kind_is_a_problem_and_no_crash(judged, value):
    one = judged(
        HEAD + f"  sidecars: [{{name: s, image: i, spec: {{securityContext: {value}}}}}]\n"
    )
    assert one.problems or one.warnings


def test_the_alpha_version_is_a_warning_with_its_line(judged):
    one = judged(
        "apiVersion: ray.io/v1alpha1\nkind: RayCluster\nmetadata: {name: c}\n"
        "spec: {headGroupSpec: {rayStartParams: {}, template: {spec: {containers: [{name: a}]}}}}\n"
    )
    assert one.problems == ()
    assert [(each.line, "ray.io/v1" in each.message) for each in one.warnings] == [(1, True)]


def test_a_job_that_no_image_is_known_to_carry_is_a_problem_or_a_warning(judged):
    job = "jobs: [{name: a, job: nope}]\n"
    (problem,) = judged(HEAD + job).problems
    assert report.place(problem).startswith("5:23: jobs[0].job: raykit's own image has no job")
    other = judged(HEAD + "image: a/b:c\n" + job)
    assert other.problems == ()
    assert any("carries a job" in each.message for each in other.warnings)


def test_a_helm_template_that_is_named_says_what_to_do(judged):
    one = judged("{{- if .Values.a }}\napiVersion: v1\nkind: A\n{{- end }}\n")
    (problem,) = one.problems
    assert "helm template CHART | raykit validate -f -" in problem.message


NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""
BARE = """\
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: c, namespace: team}
spec:
  headGroupSpec:
    rayStartParams: {}
    template:
      spec:
        hostNetwork: true
        containers: [{name: ray-head, image: a}]
"""


def said(one):
    return [report.place(each) for each in one.problems]


def test_pods_must_meet_the_level_that_their_namespace_states(judged, tmp_path):
    assert said(judged(BARE)) == []
    both = judged(f"{NAMESPACE}---\n{BARE}")
    assert len(both.problems) == 5
    assert said(both)[0].startswith(
        "13:9: spec.headGroupSpec.template.spec.hostNetwork: must not be true (Pod Security "
    )
    (tmp_path / "namespace.yaml").write_text(NAMESPACE)
    (tmp_path / "cluster.yaml").write_text(BARE)
    files = validate([tmp_path / "namespace.yaml", tmp_path / "cluster.yaml"]).files
    assert [len(each.problems) for each in files] == [0, 5]
    (tmp_path / "cluster.yaml").write_text(BARE.replace("team", "other"))
    files = validate([tmp_path / "namespace.yaml", tmp_path / "cluster.yaml"]).files
    assert [len(each.problems) for each in files] == [0, 0]


def test_a_level_may_be_asked_for_and_the_stricter_one_counts(judged):
    assert len(judged(BARE, level="baseline").problems) == 1
    assert len(judged(BARE, level="restricted").problems) == 5
    assert len(judged(f"{NAMESPACE}---\n{BARE}", level="privileged").problems) == 5


def test_a_spec_that_breaks_restricted_is_doubted_and_refused_where_it_is_stated(judged):
    spec = HEAD + "  patch: {spec: {hostNetwork: true}}\n"
    one = judged(spec)
    assert one.problems == ()
    (doubt,) = [each for each in one.warnings if "Pod Security" in each.message]
    assert report.place(doubt).startswith("5:31: head.patch.spec.hostNetwork: must not be true")
    assert len(judged(spec, level="restricted").problems) == 1
    assert not any("Pod Security" in each.message for each in judged(HEAD).warnings)
