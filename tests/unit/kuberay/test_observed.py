"""What a record says of the pods, read from the API server's own timestamps."""

from raykit.kuberay import bring_up

AT = "2026-11-24T00:00:"
START = 1795478400.0


def pod(role, ready=None, scheduled="02", started="05", **more):
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": f"{AT}{scheduled}Z"}
    ]
    if ready:
        conditions.append(
            {"type": "Ready", "status": "True", "lastTransitionTime": f"{AT}{ready}Z"}
        )
    running = {"running": {"startedAt": f"{AT}{started}Z"}} if started else {"waiting": {}}
    return {
        "metadata": {
            "name": role,
            "creationTimestamp": f"{AT}01Z",
            "labels": {"ray.io/node-type": role, "ray.io/group": "workers"},
            **more,
        },
        "spec": {"containers": [{"name": "ray", "image": "raykit:1"}], "nodeName": "n"},
        "status": {
            "conditions": conditions,
            "containerStatuses": [{"name": "ray", "state": running}],
        },
    }


CLUSTER = {"metadata": {"creationTimestamp": f"{AT}00Z"}}


def phases(*pods):
    return [
        (each.name, each.start - START, each.seconds) for each in bring_up.pod_phases(CLUSTER, pods)
    ]


def test_each_phase_begins_where_the_last_ended():
    assert phases(pod("head", "17"), pod("worker", "20"), pod("worker", "21")) == [
        ("applied", 0, 1),
        ("scheduled", 1, 1),
        ("image", 2, 3),
        ("head-ready", 5, 12),
        ("workers-ready", 17, 4),
    ]


def test_what_has_not_happened_is_left_out():
    assert [name for name, *_ in phases(pod("head", started=None))] == ["applied", "scheduled"]
    assert [name for name, *_ in phases(pod("head", "17"), pod("worker"))][-1] == "head-ready"
    assert [name for name, *_ in phases(pod("head", "17"))][-1] == "head-ready"
    assert phases() == []


def test_workers_ready_before_the_head_take_no_time_of_their_own():
    assert phases(pod("head", "17"), pod("worker", "09"))[-1] == ("workers-ready", 17, 0)


def test_phases_name_their_source_clock_and_resolution():
    phase = bring_up.pod_phases(CLUSTER, [pod("head", "17")])[0]
    assert (phase.source, phase.clock, phase.resolution) == ("kubernetes", "wall", 1.0)
