"""The errors in the operator's log: about one cluster, each once, whatever else the log holds."""

import json

from hypothesis import given
from hypothesis import strategies as st

from raykit.kube.connection import connect
from raykit.kuberay.explaining import operator_log

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "op", "namespace": "ray-system"},
    "spec": {"containers": [{"name": "kuberay-operator"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def line(level="error", msg="Reconciler error", error="quota", name="small", **more):
    about = {"RayCluster": {"name": name, "namespace": "raykit"}}
    return json.dumps({"level": level, "msg": msg, "error": error, **about, **more})


def test_errors_about_the_cluster_are_kept_without_their_stack_traces():
    log = [line(stacktrace="x\ny"), line("info"), line(name="other"), "no json", "[1]"]
    assert list(operator_log.of_lines(log, "raykit", "small")) == ["Reconciler error: quota"]
    assert len(list(operator_log.of_lines(log))) == 2


def test_each_error_is_shown_once_and_the_newest_last(api, kubeconfig):
    kubeconfig(api.url)
    lines = [line(error=str(number)) for number in (1, 2, 1, 3, 4)]
    api.say("/api/v1/namespaces/ray-system/pods/op/log", "\n".join(lines))
    with connect() as connection:
        shown = operator_log.errors(connection, [POD], "raykit", "small")
    assert shown == [f"Reconciler error: {number}" for number in (2, 3, 4)]
    assert int(api.queries[-1]["limitBytes"]) >= int(api.queries[-1]["tailLines"]) * 10_000


LOG = "/api/v1/namespaces/ray-system/pods/op/log"


def test_only_what_was_said_since_the_object_was_applied_is_asked_for(api, kubeconfig):
    kubeconfig(api.url)
    api.say(LOG, line())
    with connect() as connection:
        operator_log.errors(connection, [POD], "raykit", "small", "2026-11-26T10:00:00Z")
        operator_log.errors(connection, [POD])
    (since, of_all) = [query for query in api.queries if "tailLines" in query]
    assert since["sinceTime"] == "2026-11-26T10:00:00Z"
    assert "sinceTime" not in of_all


def test_a_wait_reads_the_log_again_only_after_a_while(api, kubeconfig, sleeps_of):
    kubeconfig(api.url)
    api.say(LOG, line())
    slept = sleeps_of(operator_log)
    question = ([POD], "raykit", "small")
    with connect() as connection:
        for _ in range(60):
            assert operator_log.errors(connection, *question) == ["Reconciler error: quota"]
            slept.append(0.1)
        assert len([query for query in api.queries if "tailLines" in query]) == 2
        operator_log.errors(connection, [POD], "raykit", "large")
    assert len([query for query in api.queries if "tailLines" in query]) == 3


def test_a_log_that_may_not_be_read_says_nothing(api, kubeconfig):
    kubeconfig(api.url)
    api.refuse("/api/v1/namespaces/ray-system/pods/op/log", 403, "no")
    with connect() as connection:
        assert operator_log.errors(connection, [POD]) == []


@given(st.lists(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_no_line_breaks_it(lines):
    assert all(isinstance(shown, str) for shown in operator_log.of_lines(lines, "a", "b"))
