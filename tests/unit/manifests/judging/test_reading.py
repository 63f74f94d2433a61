"""Files of manifests: what they are, and where each value stands."""

import pytest

from raykit.manifests.judging import reading
from raykit.manifests.judging.reading import MANIFESTS, OTHER, SPEC

CLUSTER = b"apiVersion: ray.io/v1\nkind: RayCluster\nmetadata:\n  name: c\nspec:\n  suspend: true\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CLUSTER, MANIFESTS),
        (b"{apiVersion: ray.io/v1, kind: RayCluster}", MANIFESTS),
        (b'{"kind": "RayCluster", "apiVersion": "ray.io/v1"}', MANIFESTS),
        (b'"apiVersion": ray.io/v1\n', MANIFESTS),
        (b"# a note\n---\n  apiVersion: v1\n", MANIFESTS),
        (b"a: 1\n---\napiVersion: v1\n", MANIFESTS),
        (b"\xef\xbb\xbfkind: List\n", MANIFESTS),
        ("kind: List\n".encode("utf-16"), MANIFESTS),
        (b"kind: a\nb: [", MANIFESTS),
        (b"{{- if .Values.x }}\napiVersion: ray.io/v1\n{{- end }}\n", MANIFESTS),
        (b"name: c\nhead: {memory: 2Gi}\n", SPEC),
        (b"{name: c, head: {memory: 2Gi}}", SPEC),
        (b"name: [\nhead: {}\n", SPEC),
        (b"metadata:\n  kind: x\n  head: y\n", OTHER),
        (b"- kind: a\n- head: b\n", OTHER),
        (b"a: head\nb: kind\n", OTHER),
        (b"- {op: add, path: /kind, value: a}\n", OTHER),
        (b"", OTHER),
        (b"\x00", OTHER),
    ],
)
def test_a_file_is_known_by_the_keys_at_its_top(data, kind):
    assert reading.kind_of(data) == kind


def only(data):
    (resource,) = reading.read(data).resources
    return resource


def places(data):
    document = only(data).document
    return {path: (mark.line, mark.column) for path, mark in document.keys.items()}


def test_each_key_has_its_line_and_column():
    found = places(CLUSTER)
    assert found["metadata", "name"] == (4, 3)
    assert found["spec", "suspend"] == (6, 3)


def test_each_object_of_a_list_and_of_several_documents_is_read():
    text = CLUSTER + b"---\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- "
    text += b"{apiVersion: ray.io/v1, kind: RayJob, metadata: {name: j}}\n"
    found = reading.read(text)
    assert [each.value["kind"] for each in found.resources] == ["RayCluster", "RayJob"]
    assert (found.others, found.problems) == (1, [])
    assert found.resources[1].document.keys["kind",] == reading.Mark(11, 27)


def test_aliases_and_merge_keys_are_read_as_kubectl_reads_them():
    text = b"""\
apiVersion: ray.io/v1
kind: RayCluster
metadata: &names {name: c, labels: {a: b}}
spec:
  headGroupSpec: &group {rayStartParams: {x: "1"}, template: {}}
  workerGroupSpecs:
  - <<: *group
    rayStartParams: {y: "2"}
    metadata: *names
"""
    (group,) = only(text).value["spec"]["workerGroupSpecs"]
    assert group["rayStartParams"] == {"y": "2"}
    assert group["template"] == {}
    assert group["metadata"]["labels"] == {"a": "b"}


def test_an_earlier_merge_wins_as_in_yaml():
    text = CLUSTER + b"  a: &a {k: 1}\n  b: &b {k: 2, l: 3}\n  c: {<<: [*a, *b]}\n"
    assert only(text).value["spec"]["c"] == {"k": 1, "l": 3}


def test_what_kubernetes_reads_as_text_stays_text():
    text = CLUSTER + b"  day: 2020-01-01\n  clock: 1:30\n  octal: 0o17\n  size: 1_000\n  none:\n"
    spec = only(text).value["spec"]
    assert (spec["day"], spec["clock"]) == ("2020-01-01", "1:30")
    assert "none" not in spec


def test_a_key_that_stands_twice_is_a_problem_with_its_place():
    (problem,) = reading.read(CLUSTER + b"  suspend: false\n").problems
    assert (problem.line, problem.column) == (7, 3)
    assert 'the key "suspend" stands here twice' in problem.message


def test_the_pod_security_level_of_each_namespace_is_noted():
    text = b"""\
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: v1, kind: Namespace}
"""
    assert reading.read(text).enforced == {"a": "restricted"}


def test_an_object_of_a_ray_kind_without_a_version_is_not_passed_over():
    found = reading.read(b"kind: RayCluster\nmetadata: {name: c}\n")
    assert (len(found.resources), found.others) == (1, 0)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"kind: a\nb: [}\n", 2, "is not YAML"),
        (b"{{ if }}\nkind: a\n", 2, "helm template CHART"),
        (b"kind: a\nb: " + b"[" * 2000, 1, "nested too deeply"),
        (b"kind: \xff\n", 1, "not YAML that can be read"),
        (b"kind: a\n" + b"#" * reading.LONGEST, 1, "over 8 MiB"),
        (b"apiVersion: ray.io/v1\nspec: &a [*a]\n", 1, "aliases amount to too much"),
        (b"apiVersion: ray.io/v1\nx: 0x_\n", 1, "not YAML that can be read"),
        (b"apiVersion: ray.io/v1\nx: !!bool zz\n", 1, "'zz' is no bool"),
    ],
)
def test_what_cannot_be_read_is_one_problem_with_its_line(data, line, words):
    (problem,) = reading.read(data).problems
    assert problem.line == line
    assert words in problem.message


def test_a_billion_laughs_are_refused(monkeypatch):
    monkeypatch.setattr(reading, "MOST_VALUES", 5000)
    levels = b"".join(
        b"%c: &%c [%s]\n" % (each, each, b",".join([b"*%c" % (each - 1)] * 9))
        for each in range(ord("b"), ord("k"))
    )
    found = reading.read(b"apiVersion: ray.io/v1\na: &a [x]\n" + levels)
    assert "amount to too much" in found.problems[0].message
