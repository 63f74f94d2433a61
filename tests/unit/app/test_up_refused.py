"""`raykit up` that the API server refuses: why, and what was sent, are kept as evidence."""

import json

import pytest

from tests.unit.app.small_cluster import PATH, keep

SPEC = """
name: small
image: example.com/ray:2.60.0
auth: {mode: disabled}
head: {taskCpus: 1, memory: 2Gi, env: {MODE: fast, PASSWORD: correct-horse}}
"""
WEBHOOK = 'admission webhook "policies" denied the request: no owner label'
REFUSALS = [
    (403, "exceeded quota: small, requested: count/rayclusters.ray.io=1", 5),
    (403, WEBHOOK, 5),
    (403, 'User "jane" cannot patch resource "rayclusters" in API group "ray.io"', 4),
    (422, "RayCluster.ray.io is invalid: spec.headGroupSpec: Invalid value", 5),
    (400, "field not declared in schema: .spec.headGroupSpec.labels", 4),
]


@pytest.fixture
def small(prod, spec, tmp_path, monkeypatch):
    """An API server with the cluster of the spec, up; `refuses(status, message)` changes of it."""
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    keep(prod, spec)
    answer = prod.answer

    def refuses(status, message):
        def refuse(method, path, query, body):
            if (method, path) == ("PATCH", PATH):
                return status, {"kind": "Status", "code": status, "message": message}
            return answer(method, path, query, body)

        monkeypatch.setattr(prod, "answer", refuse)

    prod.refuses = refuses
    return prod


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(("status", "message", "code"), REFUSALS)
def test_the_reason_and_what_was_sent_are_kept_and_shown_by_the_clusters_name(
    small, raykit, spec, status, message, code, is_there
):
    """A change is refused by its dry run, and a new cluster when it is applied."""
    if is_there:
        spec.write_text(SPEC.replace("fast", "slow"))
    else:
        small.kept["rayclusters"].clear()
    small.refuses(status, message)
    ended, _, said = raykit("up", "-f", spec, "--yes")
    assert (ended, said.count("evidence kept: raykit runs show ")) == (code, 1)
    shown, out, _ = raykit("runs", "show", "small")
    assert (shown, message in " ".join(out.split())) == (0, True)
    collected = json.loads(raykit("runs", "show", "small", "-o", "json")[1])["data"]
    assert message in collected["why"]
    assert collected["target"]["cluster"] == "small"
    text = raykit("runs", "show", "small", "--file", "refused.json")[1]
    sent = json.loads(text)
    assert (sent["kind"], sent["metadata"]["name"]) == ("RayCluster", "small")
    assert ("slow" in text) is is_there
    assert "correct-horse" not in text


def test_without_collect_nothing_is_kept(small, raykit, spec):
    small.kept["rayclusters"].clear()
    small.refuses(403, WEBHOOK)
    code, _, said = raykit("up", "-f", spec, "--yes", "--no-collect")
    assert (code, "evidence kept" in said) == (5, False)
    assert raykit("runs", "show", "small")[0] == 7


def test_an_api_server_that_does_not_answer_has_refused_nothing(small, raykit, spec, monkeypatch):
    """There is nothing to ask it for."""
    small.kept["rayclusters"].clear()
    answer = small.answer

    def cuts(method, path, query, body):
        if (method, path) == ("PATCH", PATH):
            raise ConnectionResetError
        return answer(method, path, query, body)

    monkeypatch.setattr(small, "answer", cuts)
    code, _, said = raykit("up", "-f", spec, "--yes")
    assert (code, "evidence kept" in said) == (5, False)
