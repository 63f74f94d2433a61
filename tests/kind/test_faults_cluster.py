"""The operator, the namespace and the cluster go away: rows of docs/faults.md."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ENVIRONMENT = "Environment and cluster"
COUNTING = "for i in $(seq 2400); do echo line $i; sleep 0.25; done"


def test_docker_that_does_not_answer_is_named_with_its_socket(faults):
    env = {"DOCKER_HOST": "unix:///tmp/no-such-docker.sock"}
    case = "docker's daemon is stopped"
    said = faults(ENVIRONMENT, case, "kind", "up", code=4, env=env).unbroken
    assert "no-such-docker.sock" in said


def test_an_absent_namespace_and_a_context_that_asks(lab, namespace, faults, spec):
    words = ("up", "-f", spec("small"), "-n", "raykit-nowhere")
    said = faults(ENVIRONMENT, "the namespace does not exist", *words, code=4).unbroken
    assert "--create-namespace" in said
    path = json.loads(lab.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    path["contexts"][0]["name"] = path["current-context"] = "prod"
    config = Path(lab.env["HOME_OF_TESTS"]) / "prod"
    config.write_text(json.dumps(path))
    words = ("up", "-f", spec("other", "image: example.com/ray:2.60.0"), "-n", namespace)
    env = {"KUBECONFIG": str(config)}
    said = faults(ENVIRONMENT, "the context is no kind cluster", *words, code=2, env=env).unbroken
    assert "not confirmed" in said


@pytest.mark.parametrize(
    ("case", "blow"),
    [
        ("the cluster is deleted while its job is followed", ("raycluster", "doomed")),
        ("the namespace is deleted while a job is followed", ("namespace", "{namespace}")),
    ],
)
def test_a_cluster_or_namespace_that_is_deleted_ends_the_following(
    lab, namespace, faults, spec, case, blow
):
    lab.raykit("up", "-f", spec("doomed"), "-n", namespace)
    on = ("--on", f"{namespace}/doomed")
    watched = faults.start("submit", *on, "--entrypoint", "--", "bash", "-c", COUNTING)
    watched.until("line 3")
    watched.strike()
    words = [word.format(namespace=namespace) for word in blow]
    lab.kubectl(
        "delete", *words, *(["-n", namespace] if "raycluster" in blow else []), "--wait=false"
    )
    said = faults.end(watched, ENVIRONMENT, case, code=6).unbroken
    assert "the cluster was deleted while the job" in said
