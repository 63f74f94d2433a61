"""Below an error of `up` and `submit` stands what doctor finds, and nothing of it is lost."""

import json
import threading
from functools import partial

import pytest

from raykit.errors import Interrupt, KubernetesError, UsageError
from raykit.flows.examining import advice, quick
from raykit.flows.targets.kinds import OwnHead
from raykit.flows.targets.where import Where
from tests.programs import write_program
from tests.unit.app.test_clusters import cluster, listed
from tests.unit.app.test_doctor import ready, with_label
from tests.unit.conftest import ApiServer
from tests.unit.kuberay.test_operator import deployment

RAY = "/apis/ray.io/v1"
PATH = f"{RAY}/namespaces/raykit/rayclusters/small"
ODD = "it is odd"
STOPPED = "KubeRay's operator has no replica: somebody scaled it to 0"
START = "scale deployment/kuberay-operator --replicas=1"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "raykit"}}


@pytest.fixture
def place(api, kubeconfig, monkeypatch):
    """A context with KubeRay in which only the operator is wrong: it was scaled to 0."""
    monkeypatch.setattr(quick, "SECONDS", 60.0)  # a busy machine is no reason to find less
    kubeconfig(api.url, context="prod")
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    for plural in ("rayclusters", "pods", "events", "nodes", "resourcequotas"):
        api.keep(plural)
    api.keep("namespaces", NAMESPACE)
    api.keep("deployments", with_label(deployment(replicas=0, updated=0)))
    return api


@pytest.fixture
def up(place, raykit, tmp_path, monkeypatch):
    """`raykit up`, which the API server refuses for a reason that doctor does not know."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "name: small\nimage: example.com/ray:2.60.0\nhead: {taskCpus: 1, memory: 2Gi}\n"
    )
    refuse_to_apply(place, monkeypatch, 422, ODD)
    return lambda *words: raykit("up", "-f", path, "--yes", *words)


def refuse_to_apply(place, monkeypatch, status, message):
    def answer(method, path, query, body):
        if (method, path) == ("PATCH", PATH):
            return status, {"kind": "Status", "code": status, "message": message}
        return ApiServer.answer(place, method, path, query, body)

    monkeypatch.setattr(place, "answer", answer)


def test_what_doctor_would_say_stands_below_the_error_with_its_advice(up):
    code, _, said = up()
    assert code == 5
    error, _, more = said.partition("also: ")
    assert f"error: Kubernetes refused\n  {ODD}\n" in error
    what, evidence, repair = more.splitlines()
    assert what == STOPPED
    assert evidence == "  deployment ray-system/kuberay-operator: spec.replicas is 0"
    assert repair.startswith("  next: kubectl --context prod -n ray-system")
    assert repair.endswith(START)


def test_advice_changes_nothing_and_starts_nothing(up, place):
    up()
    at = next(number for number, asked in enumerate(place.asked) if asked[:2] == ("PATCH", PATH))
    later = list(zip(place.asked, place.queries, strict=True))[at + 1 :]
    assert later
    for (method, path, _), query in later:
        assert method == "GET" or path.endswith("reviews") or query["dryRun"] == "All"


def test_where_nothing_is_wrong_the_error_stands_alone(up, place):
    place.keep("deployments", with_label(ready("--watch-namespace=raykit")))
    code, _, said = up()
    assert code == 5
    assert "also: " not in said


def test_what_the_error_says_already_is_not_said_again(up, place):
    del place.answers[RAY]
    place.kept["deployments"].clear()
    code, _, said = up()
    assert code == 4
    assert "error: KubeRay is not installed in context prod" in said
    assert "also: " not in said, "the operator that is absent has the same repair"


def test_a_wait_that_names_the_cause_is_not_followed_by_it(up, place, monkeypatch):
    monkeypatch.setattr(place, "answer", partial(ApiServer.answer, place))
    code, _, said = up("--timeout", "1")
    assert code == 5
    assert said.partition("error: ")[2].count(STOPPED) == 1
    assert "also: " not in said


def test_the_first_three_are_shown_and_doctor_for_the_rest(up, place):
    place.denied = {("create", "rayclusters")}
    place.refusals["pods"] = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": a'
    quota = {
        "metadata": {"name": "none", "namespace": "raykit"},
        "status": {"hard": {"pods": "0"}, "used": {"pods": "0"}},
    }
    place.keep("resourcequotas", quota)
    code, _, said = up()
    assert code == 5
    whats = [line for line in said.splitlines() if line.startswith("also: ")]
    assert whats == [
        "also: jane lacks rights in namespace raykit",
        f"also: {STOPPED}",
        "also: namespace raykit refuses the Ray pods: "
        "they violate the namespace's Pod Security level",
        "also: 1 more of doctor's checks fails",
    ]
    assert said.endswith("  next: raykit doctor --context prod -n raykit\n")


def test_a_right_that_the_command_does_not_need_is_not_missed(up, place):
    place.denied = {("delete", "rayclusters"), ("get", "secrets"), ("list", "nodes")}
    assert "lacks rights" not in up()[2]


def test_the_one_right_that_the_error_is_about_is_not_said_again(up, place, monkeypatch):
    place.denied = {("patch", "rayclusters")}
    message = (
        'rayclusters.ray.io "small" is forbidden: User "jane" cannot patch resource "rayclusters" '
        'in API group "ray.io" in the namespace "raykit"'
    )
    refuse_to_apply(place, monkeypatch, 403, message)
    code, _, said = up()
    assert code == 4
    assert "lacks rights" not in said
    assert f"also: {STOPPED}" in said
    place.denied |= {("list", "pods")}
    assert "also: jane lacks rights in namespace raykit" in up()[2], "two are missing"


def test_in_json_the_advice_is_in_the_error(up):
    error = json.loads(up("-o", "json")[1])["error"]
    assert (error["exit_code"], error["evidence"]) == (5, [ODD])
    (other,) = error["also"]
    assert other["what"] == STOPPED
    assert other["next"].endswith(START)


def test_the_pods_of_a_cluster_that_is_there_are_no_quota_that_is_missing(up, place):
    """They use the quota up themselves, so that a dry run of one more is refused."""
    place.refusals["pods"] = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1'
    assert "refuses the Ray pods" in up()[2]
    place.keep("rayclusters", cluster("small"))
    said = up()[2]
    assert STOPPED in said
    assert "refuses the Ray pods" not in said


def test_a_submission_to_a_cluster_has_advice_too(place, raykit):
    item = cluster("small")
    item["spec"]["authOptions"] = {"mode": "token"}
    listed(place, item)
    place.keep("secrets")
    code, _, said = raykit("submit", "--entrypoint", "--on", "small", "--", "true")
    assert code == 4
    assert f"also: {STOPPED}" in said
    place.denied = {("get", "services/proxy")}
    said = raykit("submit", "--entrypoint", "--on", "small", "--", "true")[2]
    assert "get services/proxy: submit, ps, logs, stop: the Jobs API" in said


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        (None, False),
        ({"mode": "disabled"}, False),
        ({"mode": "token"}, True),
        ({"mode": "token", "enableK8sTokenAuth": True}, False),
    ],
)
def test_the_right_to_read_secrets_is_missed_only_where_a_token_is_in_one(options, needs):
    item = cluster("small")
    item["spec"]["authOptions"] = options
    subject = quick.of_place("prod", "raykit", item)
    assert ("secrets" in [rule.resource for rule in subject.rules]) == needs


def test_the_queue_of_the_spec_or_of_the_cluster_is_looked_at(up, place, raykit, tmp_path):
    said = "also: a queue is named (team), and the API server knows no Kueue"
    assert said not in up()[2]
    path = tmp_path / "small.yaml"
    path.write_text(f"{path.read_text()}queue: team\n")
    assert said in up()[2]
    item = cluster("small")
    item["spec"]["authOptions"] = {"mode": "token"}
    item["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "team"
    listed(place, item)
    place.keep("secrets")
    assert said in raykit("submit", "--entrypoint", "--on", "small", "--", "true")[2]
    own = ("--as", "rayjob", "-f", path, "--entrypoint", "--", "true")
    code, _, error = raykit("submit", *own)
    assert (code, said in error) == (2, False), "not confirmed"
    place.refuse(f"{RAY}/namespaces/raykit/rayjobs", 422, ODD)
    own = ("--yes", *own)
    assert said in raykit("submit", *own)[2]


def test_a_name_that_no_cluster_has_leads_to_a_context_without_kuberay(place, raykit):
    del place.answers[RAY]
    code, _, said = raykit("submit", "--entrypoint", "--on", "small", "--", "true")
    assert code == 4
    assert "error: --on small: there is no cluster and no local head of that name" in said
    assert "also: KubeRay is not installed in context prod" in said


@pytest.mark.parametrize(
    "about",
    [
        partial(advice.of_target, OwnHead("here")),
        partial(advice.of_choice, Where({}, on="local")),
        partial(advice.of_choice, Where({"RAYKIT_ON": "http://127.0.0.1:8265"})),
    ],
)
def test_a_submission_that_is_not_about_kubernetes_asks_no_api_server(place, about):
    error = KubernetesError(ODD)
    with pytest.raises(KubernetesError), advice.advised(about):
        raise error
    assert (error.also, place.asked) == ((), [])


def test_an_api_server_that_does_not_answer_adds_nothing(api, up, kubeconfig):
    kubeconfig("http://127.0.0.1:1", context="prod")
    code, _, said = up()
    assert code == 5
    assert "nothing listens" in said
    assert "also: " not in said


@pytest.mark.parametrize(
    ("silent", "bound"), [("/version", 0.3), ("/apis/apps/v1/deployments", 8.0)]
)
def test_an_api_server_that_falls_silent_keeps_nobody_waiting(
    up, place, monkeypatch, silent, bound
):
    """The checks that have an answer in time are shown; the others are left."""
    monkeypatch.setattr(quick, "SECONDS", bound)
    # Their connection ends by itself much later, though this machine may be busy by then.
    monkeypatch.setattr(quick, "GRACE_SECONDS", 60.0)
    monkeypatch.setattr("raykit.kube.api_server.READ_SECONDS", 240.0)
    place.denied = {("create", "rayclusters")}
    refused, over = threading.Event(), threading.Event()
    answer = place.answer

    def hang(method, path, query, body):
        if refused.is_set() and path == silent:
            over.wait(240)
        if (method, path) == ("PATCH", PATH):
            refused.set()
        return answer(method, path, query, body)

    monkeypatch.setattr(place, "answer", hang)
    code, _, said = up()
    over.set()
    assert (code, ODD in said) == (5, True)
    assert STOPPED not in said
    assert ("jane lacks rights" in said) == (silent != "/version")
    assert "did not answer" not in said


@pytest.mark.parametrize("trouble", [Interrupt, KeyboardInterrupt])
def test_an_interrupt_ends_the_checks_and_the_error_stays(up, monkeypatch, trouble):
    def interrupted(*_):
        raise trouble

    monkeypatch.setattr("raykit.checks.in_time", interrupted)
    code, _, said = up()
    assert (code, ODD in said) == (5, True)


def test_a_bug_of_a_check_does_not_take_the_place_of_the_error(up, monkeypatch):
    monkeypatch.setattr("raykit.kuberay.checks.operator.check", lambda *_: 1 / 0)
    code, _, said = up()
    assert (code, ODD in said) == (5, True)
    assert "ZeroDivisionError" not in said


def test_errors_with_another_exit_code_are_left_alone():
    def about():
        raise AssertionError("not asked")

    error = UsageError("no")
    with pytest.raises(UsageError), advice.advised(about):
        raise error
    assert error.also == ()


def test_a_program_that_gives_credentials_is_asked_once(
    place, kubeconfig, raykit, tmp_path, monkeypatch, up
):
    asked = tmp_path / "asked"
    status = {"kind": "ExecCredential", "status": {"token": "letter"}}
    program = tmp_path / "gives"
    write_program(program, f"#!/bin/sh\necho asked >> {asked}\necho '{json.dumps(status)}'\n")
    run = {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1"}
    kubeconfig(place.url, context="prod", user={"exec": run})
    code, _, said = up()
    assert (code, STOPPED in said) == (5, True)
    assert asked.read_text() == "asked\n"
