"""What Kueue says of a workload that waits becomes one line with its place in the queue."""

import pytest

from raykit.kube.connection import connect
from raykit.kuberay.explaining import kueue

ROOM = (
    "couldn't assign flavors to pod set head: insufficient unused quota for cpu in flavor default, "
    "1 more needed"
)


def workload(name="raycluster-c-1", uid="uid-c", created="2026-11-26T10:00:00Z", **conditions):
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "RayCluster", "name": "c", "uid": uid}],
        },
        "status": {
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": message}
                for kind, (status, reason, message) in conditions.items()
            ]
        },
    }


PENDING = {"QuotaReserved": ("False", "Pending", ROOM)}


def waits(workload, place=""):
    return kueue.finding("team", "n", "kind-here", workload, place)


@pytest.mark.parametrize(
    ("held", "place", "what"),
    [
        (workload(**PENDING), "place 2 of 3", f"QUEUED in team, place 2 of 3: {ROOM}"),
        (workload(**PENDING), "", f"QUEUED in team: {ROOM}"),
        (None, "", "QUEUED in team: Kueue has not looked at it yet"),
        (workload(), "", "QUEUED in team: Kueue has not looked at it yet"),
        (
            workload(Evicted=("True", "Preempted", "for a more\nurgent one"), **PENDING),
            "",
            f"QUEUED in team: Preempted: for a more urgent one; {ROOM}",
        ),
        (
            workload(QuotaReserved=("True", "QuotaReserved", "in cluster-queue")),
            "",
            "QUEUED in team: it has its quota and waits for Kueue's admission checks",
        ),
    ],
)
def test_the_line_has_the_queue_the_place_and_kueues_own_reason(held, place, what):
    finding = waits(held, place)
    assert finding.what == what
    assert finding.queued
    assert finding.patience is None
    assert finding.next == "kubectl --context kind-here -n n get workloads"


def test_a_queue_that_does_not_exist_ends_the_wait():
    missing = workload(QuotaReserved=("False", "Inadmissible", "LocalQueue team doesn't exist"))
    finding = waits(missing)
    assert 0 < finding.patience <= 20
    assert finding.next.endswith("get localqueues")


CLUSTER = {
    "metadata": {
        "name": "c",
        "namespace": "n",
        "uid": "uid-c",
        "labels": {"kueue.x-k8s.io/queue-name": "team"},
    }
}
PLACES = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/n/localqueues/team/pendingworkloads"


@pytest.fixture
def connection(api, kubeconfig):
    kubeconfig(api.url)
    return connect()


def row(name, position):
    metadata = {"name": name, "namespace": "n"}
    return {"metadata": metadata, "positionInLocalQueue": position}


def test_the_workload_of_this_very_object_is_found_and_its_place(api, connection):
    api.keep(
        "workloads",
        workload("other", uid="uid-other", **PENDING),
        workload("done", Finished=("True", "Succeeded", ""), created="2026-11-26T12:00:00Z"),
        workload("mine", **PENDING),
    )
    api.say(PLACES, {"items": [row("first", 0), row("mine", 1), row("third", 2)]})
    finding = kueue.waits(connection, CLUSTER)
    assert finding.what.startswith("QUEUED in team, place 2 of 3: couldn't assign flavors")
    assert finding.evidence == ("Kueue's Workload mine",)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_two_workloads_of_one_second_the_one_that_replaces_the_other_counts(
    api, connection, names
):
    old, new = (workload(name, **PENDING) for name in names)
    new["metadata"]["annotations"] = {kueue.REPLACES: f"n/{names[0]}"}
    api.keep("workloads", old, new)
    finding = kueue.waits(connection, CLUSTER)
    assert finding.evidence == (f"Kueue's Workload {names[1]}",)


def test_without_the_right_to_read_workloads_the_queue_is_still_named(api, connection):
    api.refuse("/apis/kueue.x-k8s.io/v1beta2/namespaces/n/workloads", 403, "no")
    assert kueue.waits(connection, CLUSTER).what.startswith("QUEUED in team: ")


@pytest.mark.parametrize(
    ("kind", "plural", "queue"),
    [("LocalQueue", "localqueues", "team"), ("ClusterQueue", "clusterqueues", "all")],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_queue_that_was_made_since_kueue_missed_it_ends_no_wait(
    api, connection, kind, plural, queue, is_there
):
    """Kueue says something else only once it is the workload's turn."""
    missed = f"{kind} {queue} doesn't exist"
    api.keep("workloads", workload(QuotaReserved=("False", "Inadmissible", missed)))
    place = "n" if kind == "LocalQueue" else None
    items = [{"metadata": {"name": queue, "namespace": place}}] if is_there else []
    api.keep(plural, *items)
    finding = kueue.waits(connection, CLUSTER)
    assert finding.patience == (None if is_there else 12)
    assert ("has not looked again since" in finding.what) is is_there


def test_without_the_visibility_api_only_the_place_is_missing(api, connection):
    api.keep("workloads", workload(**PENDING))
    api.refuse(PLACES, 503, "no server")
    assert kueue.waits(connection, CLUSTER).what == f"QUEUED in team: {ROOM}"


def test_a_cluster_without_a_queue_is_not_queued(connection):
    bare = {"metadata": {**CLUSTER["metadata"], "labels": {}}}
    assert kueue.waits(connection, bare) is None
