"""Who has set which fields of an object, and the part that a manager applied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.objects import applied_by, last_seen, owners, seconds

FIELDS = {
    "f:metadata": {"f:labels": {"f:raykit.io/cluster": {}}},
    "f:spec": {
        "f:rayVersion": {},
        "f:workerGroupSpecs": {},
        "f:ports": {'k:{"port":1}': {".": {}, "f:port": {}}},
        "f:words": {'v:"a"': {}},
    },
}


def item(*entries):
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": "small",
            "namespace": "ray",
            "labels": {"raykit.io/cluster": "small", "theirs": "x"},
            "annotations": {"theirs": "y"},
            "managedFields": list(entries),
        },
        "spec": {
            "rayVersion": "2.60.0",
            "suspend": False,
            "workerGroupSpecs": [{"groupName": "w", "replicas": 2}],
            "ports": [{"port": 1, "name": "theirs"}, {"port": 2}],
            "words": ["a", "b"],
        },
        "status": {"state": "ready"},
    }


def entry(manager="raykit", operation="Apply", fields=FIELDS, **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def test_what_a_manager_applied_holds_no_field_of_others():
    assert applied_by(item(entry()), "raykit") == {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": "small",
            "namespace": "ray",
            "labels": {"raykit.io/cluster": "small"},
        },
        "spec": {
            "rayVersion": "2.60.0",
            "workerGroupSpecs": [{"groupName": "w", "replicas": 2}],
            "ports": [{"port": 1}],
            "words": ["a"],
        },
    }


def test_who_applied_nothing_has_nothing_to_apply_again():
    assert applied_by(item(entry(operation="Update")), "raykit") is None
    assert applied_by(item(entry()), "kubectl") is None
    assert applied_by({"metadata": {"name": "bare"}}, "raykit") is None


def test_owners_of_a_field_are_its_managers_but_not_those_of_the_status():
    status = entry("kuberay", "Update", {"f:spec": {}, "f:status": {}}, subresource="status")
    theirs = entry("kubectl-edit", "Update", {"f:spec": {"f:suspend": {}}})
    seen = item(entry(), theirs, status)
    assert owners(seen, "spec") == {"raykit", "kubectl-edit"}
    assert owners(seen, "spec", "workerGroupSpecs") == {"raykit"}
    assert owners(seen, "spec", "nothing") == set()


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([".", "f:spec", "f:ports", "k:{", 'k:{"port":1}', "k:7", "v:", "v:1"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(ODD)
def test_no_set_of_fields_breaks_it(fields):
    seen = item(entry(fields=fields))
    part = applied_by(seen, "raykit")
    assert part["metadata"]["name"] == "small"
    assert owners(seen, "spec", "ports") <= {"raykit"}


FIRST, SECOND, LATER = (f"2026-11-24T00:00:0{second}Z" for second in "123")


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({"lastTimestamp": SECOND, "firstTimestamp": FIRST, "eventTime": None}, SECOND),
        ({"lastTimestamp": None, "eventTime": SECOND}, SECOND),
        ({"eventTime": FIRST, "series": {"count": 7, "lastObservedTime": LATER}}, LATER),
        ({}, "1970-01-01T00:00:00Z"),
    ],
)
def test_an_event_was_last_seen_when_it_was_last_repeated(event, seen):
    assert last_seen(event) == seconds(seen)
