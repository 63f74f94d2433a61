"""`raykit kind up` on nodes that were stopped: what the API server still says of their pods."""

import pytest

from raykit.containers.kind import Node
from raykit.flows.clusters import kind
from raykit.progress import Progress, Silent

PODS = "/api/v1/pods"
BEGAN = "2026-11-26T10:00:05.987654321Z"
NODE = Node("raykit-worker", "worker", True, True, began=BEGAN)


def pod(*states):
    statuses = [{"name": str(at), "state": state} for at, state in enumerate(states)]
    return {
        "metadata": {"name": "head", "namespace": "raykit"},
        "spec": {"nodeName": "raykit-worker", "containers": []},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": statuses,
        },
    }


def running(second):
    return {"running": {"startedAt": f"2026-11-26T10:00:{second:02}Z"}}


class Details(Silent):
    """Calls a function each time that something is shown."""

    def __init__(self, act):
        self.act = act

    def step_detail(self, text):
        self.act(text)


def test_pods_that_ran_before_their_node_was_started_are_waited_for(api, kubeconfig):
    """`kind up` called them ready, and ended."""
    kubeconfig(api.url)
    api.say(PODS, {"items": [pod(running(4), running(30))]})
    seen = []

    def kubelet(text):
        seen.append(text)
        api.say(PODS, {"items": [pod(running(30), {"terminated": {"exitCode": 255}})]})

    kind.report_anew("kind-here", [NODE], Progress(Details(kubelet)))
    assert seen == ["1 pods of nodes that were stopped are not reported yet"]
    assert {query["fieldSelector"] for query in api.queries if query} == {
        "spec.nodeName=raykit-worker"
    }


@pytest.mark.parametrize("state", [running(5), {"waiting": {}}, {}, {"running": {}}])
def test_pods_that_run_since_their_node_was_started_are_not_waited_for(api, kubeconfig, state):
    kubeconfig(api.url)
    api.say(PODS, {"items": [pod(state)]})
    kind.report_anew("kind-here", [NODE], Progress(Details(pytest.fail)))


def test_an_api_server_that_is_starting_is_asked_again(api, kubeconfig):
    kubeconfig(api.url)
    api.say(PODS, {"items": []})
    api.turn_away(PODS, 1, status=403)
    kind.report_anew("kind-here", [NODE], Progress(Details(pytest.fail)))
    assert sum(path == PODS for _, path, _ in api.asked) == 2


def test_a_kubelet_that_never_reports_is_waited_for_no_longer_than_a_minute(
    api, kubeconfig, sleeps_of
):
    kubeconfig(api.url)
    api.say(PODS, {"items": [pod(running(4))]})
    slept = sleeps_of(kind)
    kind.report_anew("kind-here", [NODE], Progress())
    assert sum(slept) == 60
