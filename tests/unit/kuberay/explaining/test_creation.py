"""What KubeRay says in events about a cluster, as long as it is about the spec that was applied."""

import pytest

from raykit.kuberay.explaining import creation
from raykit.kuberay.explaining.scene import Scene


def cluster(state="", *conditions, seen=1, changed=()):
    applied = {"manager": "raykit", "operation": "Apply", "time": "2026-11-24T00:01:00Z"}
    return {
        "metadata": {
            "name": "c",
            "namespace": "raykit",
            "uid": "uid-c",
            "creationTimestamp": "2026-11-24T00:00:00Z",
            "managedFields": [applied, *changed],
            "generation": 1,
        },
        "spec": {"headGroupSpec": {}},
        "status": {"conditions": list(conditions), "state": state, "observedGeneration": seen},
    }


def event(reason, message="", seen="2026-11-24T00:01:05Z", **more):
    about = {"uid": "uid-c"}
    fields = {"reason": reason, "message": message, "type": "Warning", "involvedObject": about}
    return {**fields, "lastTimestamp": seen, **more}


def found(*events, state="", conditions=(), pods=(), **more):
    scene = Scene("kind-raykit", events=events, pods=pods)
    return creation.findings(cluster(state, *conditions, **more), scene)


REFUSED = event("InvalidRayClusterSpec", "RayVersion was not specified")


def test_a_spec_that_kuberay_refuses_ends_the_wait():
    (finding,) = found(REFUSED)
    assert finding.evidence == ("RayVersion was not specified",)
    assert finding.patience <= 20
    assert found(REFUSED, state="ready") == []
    (finding,) = found(REFUSED, state="ready", seen=0)
    assert finding.key == "invalid", "the state is that of its earlier spec"


def test_what_kuberay_said_of_an_earlier_spec_does_not_count():
    assert found(event("InvalidRayClusterSpec", seen="2026-11-24T00:00:59Z")) == []
    later = event("InvalidRayClusterSpec", seen="", eventTime="2026-11-24T00:02:00.000000Z")
    assert len(found(later)) == 1


def test_an_event_without_a_time_counts():
    assert len(found(event("InvalidRayClusterSpec", seen=""))) == 1


QUOTA = 'services "c-head-svc" is forbidden: exceeded quota: none, requested: services=1'


def test_a_service_that_quota_refuses_is_explained_though_no_condition_says_it():
    (finding,) = found(event("FailedToCreateService", QUOTA), event("Deleted", "x"))
    assert finding.what == "KubeRay cannot create its Service: the namespace's quota is exceeded"
    assert finding.evidence == (QUOTA,)
    assert "describe resourcequota" in finding.next
    assert finding.patience <= 20


def test_each_creation_that_fails_is_said_once_with_its_newest_words():
    events = [event("FailedToCreateService", "old"), event("FailedToCreateService", "new")]
    (finding,) = found(*events)
    assert finding.evidence == ("new",)


def test_the_newest_words_are_those_seen_last_wherever_they_stand_in_the_list():
    again = event("FailedToCreateService", "again", seen="2026-11-24T00:01:09Z")
    (finding,) = found(again, event("FailedToCreateService", "once"))
    assert finding.evidence == ("again",)


@pytest.mark.parametrize(
    ("made", "counts"),
    [("2026-11-24T00:01:04Z", 1), ("2026-11-24T00:01:05Z", 0), ("2026-11-24T00:01:06Z", 0)],
)
def test_a_creation_that_failed_counts_until_it_has_succeeded(made, counts):
    success = event("CreatedService", seen=made, type="Normal")
    assert len(found(success, event("FailedToCreateService", QUOTA))) == counts
    assert len(found(event("FailedToCreateService", QUOTA), success)) == counts


@pytest.mark.parametrize("kind", ["Normal", None])
def test_events_that_are_no_warnings_do_not_count(kind):
    assert found(event("FailedToCreateService", QUOTA, type=kind)) == []


def test_a_creation_that_failed_once_is_no_reason_once_all_pods_are_there():
    head = {"metadata": {"name": "h", "labels": {"ray.io/node-type": "head"}}}
    assert found(event("FailedToCreateService", QUOTA), pods=[head]) == []


def test_a_creation_that_failed_once_is_no_reason_why_a_suspended_cluster_has_no_pods():
    """It ended the wait of a cluster in a queue, and stood before its place in `status`."""
    suspended = {"type": "RayClusterSuspended", "status": "True"}
    assert found(event("FailedToCreateService", "x"), conditions=[suspended]) == []


FAILURE = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}


def test_the_condition_of_pods_comes_before_their_events():
    (finding,) = found(event("FailedToCreateHeadPod", "x"), conditions=[FAILURE])
    assert finding.key == "replica-failure"


def test_pods_that_were_refused_of_an_earlier_spec_are_no_reason():
    assert found(conditions=[FAILURE], seen=0) == []
    (finding,) = found(event("FailedToCreateHeadPod", "x"), conditions=[FAILURE], seen=0)
    assert finding.key == "event:FailedToCreateHeadPod", "KubeRay has tried, and not yet said so"


def test_pods_that_were_refused_before_raykit_asked_again_are_given_kuberays_next_try():
    """The quota was raised: KubeRay waits up to 17 minutes after many failures."""
    asked = {"manager": "raykit", "operation": "Update", "time": "2026-11-24T00:02:00Z"}
    before, after = (
        event("FailedToCreateHeadPod", "x", seen=f"2026-11-24T00:0{m}:30Z") for m in "12"
    )
    (finding,) = found(before, conditions=[FAILURE], changed=[asked])
    assert (finding.patience, finding.past) == (18, True)
    (finding,) = found(before, after, conditions=[FAILURE], changed=[asked])
    assert (finding.patience, finding.past) == (8, False)
    assert found(before, changed=[asked]) == []


def test_what_kuberay_writes_itself_makes_no_event_old():
    status = {"manager": "raykit", "subresource": "status", "time": "2026-11-24T00:02:00Z"}
    theirs = {"manager": "manager", "operation": "Update", "time": "2026-11-24T00:02:00Z"}
    assert len(found(event("FailedToCreateHeadPod", "x"), changed=[status, theirs])) == 1


def test_an_absent_service_account_of_an_autoscaled_head_is_named_as_the_reason():
    (finding,) = found(event("AutoscalerServiceAccountNotFound", "there is no account x"))
    assert "does not find the ServiceAccount" in finding.what
    assert finding.evidence == ("there is no account x",)


@pytest.mark.parametrize(
    ("message", "why", "mend"),
    [
        ("pods is forbidden: exceeded quota: q", "quota is exceeded", "describe resourcequota"),
        ("forbidden: violates PodSecurity", "Pod Security level", "raykit render"),
        (
            "forbidden: maximum memory usage per Container is 1Gi",
            "admission",
            "describe limitrange",
        ),
        ("webhook said no", "does not create them", "raykit render"),
    ],
)
def test_pods_that_admission_refuses_are_told_apart(message, why, mend):
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreateHeadPod",
        "message": f"FailedCreateHeadPod\n{message}",
    }
    (finding,) = found(event("FailedToCreateHeadPod"), conditions=[failure])
    assert why in finding.what
    assert mend in finding.next
    assert message in finding.evidence
    assert finding.patience == 8


def test_a_failure_that_has_passed_does_not_count():
    passed = {"type": "ReplicaFailure", "status": "False", "reason": "", "message": ""}
    assert found(conditions=[passed]) == []
