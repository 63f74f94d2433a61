"""Which RayClusters are found, and which one may be changed."""

import pytest

from raykit.errors import ConflictError, MissingError
from raykit.kube.connection import connect
from raykit.kube.errors import ForbiddenError
from raykit.kube.reference import Reference
from raykit.kuberay import choosing
from raykit.spec.names import CLUSTER_LABEL, HASH_ANNOTATION, MANAGED_BY_LABEL

EVERYWHERE = "/apis/ray.io/v1/rayclusters"


def cluster(name, namespace="raykit", *, labels=None, annotations=None, owners=None):
    metadata = {"name": name, "namespace": namespace, "uid": name}
    marks = {"labels": labels, "annotations": annotations, "ownerReferences": owners}
    metadata |= {key: mark for key, mark in marks.items() if mark}
    head = {"template": {"spec": {"containers": [{"name": "ray-head", "image": "ray:1"}]}}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": metadata,
        "spec": {"headGroupSpec": head},
    }


def ours(name, namespace="raykit"):
    labels, annotations = {CLUSTER_LABEL: name}, {HASH_ANNOTATION: "a"}
    return cluster(name, namespace, labels=labels, annotations=annotations)


@pytest.fixture
def connection(api, kubeconfig):
    kubeconfig(api.url, context="prod")
    api.keep("rayclusters")
    return connect(None)


def test_a_cluster_to_change_is_the_one_of_its_namespace_that_raykit_made(api, connection):
    api.keep("rayclusters", ours("small"), ours("small", "colleague"))
    assert choosing.find_one(connection, "small", "raykit").namespace == "raykit"


def test_a_cluster_to_change_that_is_absent_is_an_error_that_names_its_namesakes(api, connection):
    api.keep("rayclusters", ours("small", "colleague"), ours("other"))
    with pytest.raises(MissingError) as absent:
        choosing.find_one(connection, "small", "raykit")
    assert absent.value.what == "there is no cluster small in namespace raykit of context prod"
    assert absent.value.evidence == ("there is prod:colleague/small",)
    assert absent.value.next.endswith("one elsewhere is named as prod:colleague/small")


def test_a_cluster_to_change_without_namesakes_has_its_neighbours_named(api, connection):
    api.keep("rayclusters", ours("other"), ours("far", "colleague"))
    with pytest.raises(MissingError) as absent:
        choosing.find_one(connection, "small", "raykit")
    assert absent.value.evidence == ("there is prod:raykit/other",)
    assert absent.value.next == "raykit status lists all clusters"


@pytest.mark.parametrize(
    ("marks", "maker"),
    [
        ({}, "unknown"),
        ({"labels": {CLUSTER_LABEL: "small"}}, "unknown"),
        ({"annotations": {HASH_ANNOTATION: "a"}}, "unknown"),
        ({"labels": {CLUSTER_LABEL: "big"}, "annotations": {HASH_ANNOTATION: "a"}}, "unknown"),
        ({"labels": {MANAGED_BY_LABEL: "raykit"}}, "unknown"),
        ({"labels": {MANAGED_BY_LABEL: "Helm"}}, "Helm"),
        ({"owners": [{"kind": "RayJob", "name": "nightly"}]}, "RayJob/nightly"),
    ],
)
def test_a_cluster_that_raykit_did_not_make_is_not_changed(api, connection, marks, maker):
    api.keep("rayclusters", cluster("small", **marks))
    with pytest.raises(ConflictError) as refused:
        choosing.find_one(connection, "small", "raykit")
    assert refused.value.what == (
        "there is a RayCluster small in namespace raykit that raykit did not make"
    )
    assert refused.value.evidence[0] == f"made by: {maker}"


def test_without_the_right_to_read_all_namespaces_the_contexts_own_is_searched(api, connection):
    api.keep("rayclusters", ours("small"), ours("far", "colleague"))
    api.refuse(EVERYWHERE, 403, "not all namespaces")
    assert [found.name for found in choosing.find(connection)] == ["small"]


def test_a_namespace_that_is_named_and_may_not_be_read_is_an_error(api, connection):
    api.refuse("/apis/ray.io/v1/namespaces/closed/rayclusters", 403, "not yours")
    api.refuse("/apis/ray.io/v1/namespaces/closed/rayclusters/small", 403, "not yours")
    with pytest.raises(ForbiddenError):
        choosing.find(connection, "closed")
    with pytest.raises(ForbiddenError):
        choosing.named(connection, Reference("small", "closed"))


def test_a_name_is_looked_for_elsewhere_where_ones_own_namespace_may_not_be_read(api, connection):
    api.keep("rayclusters", ours("small", "colleague"))
    api.refuse("/apis/ray.io/v1/namespaces/raykit/rayclusters/small", 403, "not yours")
    found = choosing.named(connection, Reference("small"))
    assert [(each.namespace, each.name) for each in found] == [("colleague", "small")]


def test_clusters_are_sorted_by_namespace_then_name(api, connection):
    api.keep("rayclusters", ours("b", "two"), ours("z", "one"), ours("a", "two"))
    found = choosing.find(connection)
    assert [(each.namespace, each.name) for each in found] == [
        ("one", "z"),
        ("two", "a"),
        ("two", "b"),
    ]


def test_only_clusters_whose_label_says_their_own_name_count_as_labelled(api, connection):
    of_job = cluster("small-x7f", labels={CLUSTER_LABEL: "small"})
    api.keep("rayclusters", ours("small"), of_job, cluster("theirs"))
    assert [found.name for found in choosing.find(connection, labelled=True)] == ["small"]
    assert api.queries[-1]["labelSelector"] == CLUSTER_LABEL
    everyone = choosing.find(connection)
    assert [found.name for found in everyone] == ["small", "small-x7f", "theirs"]
