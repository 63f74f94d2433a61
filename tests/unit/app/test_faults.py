"""Faults of the machine and the context, as a person at a terminal meets them: rows of
docs/faults.md. The cases that need a real cluster are in tests/kind."""

import json
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from tests.faults import Faults, explanation, quoted

HERE, SERVER = "this machine", "HTTP server"
SECTION = "Environment and cluster"
RAY = "/apis/ray.io/v1"
SPEC = "name: one\nimage: example.com/ray:2.60.0\nhead: {taskCpus: 1, cpu: 100m, memory: 2Gi}\n"


@pytest.fixture
def fault(cli, tmp_path):
    """`fault(case, *words, code=…)`: a fault of this machine; `fault.where` names another place."""
    faults = Faults(cli.env, cli.cwd, HERE)

    def meet(case, *words, **options):
        faults.where = meet.where
        return faults(SECTION, case, *words, **options).text

    meet.where = HERE
    yield meet
    faults.close()


@pytest.fixture
def bare(tools, tmp_path):
    """The environment of a machine with kind and Helm, where programs are as said: None: absent."""

    def write(**scripts):
        present = {"kind": "echo kind v0.33.0 go1.25", "helm": "echo v4.3.1"} | scripts
        folder = tools(**{name: script for name, script in present.items() if script})
        return {"PATH": f"{folder}{os.pathsep}{Path(sys.executable).parent}"}

    return write


@pytest.fixture
def up(fault, kubeconfig, tmp_path):
    """`up(case, server, code)`: raykit up against an API server."""
    (tmp_path / "one.yaml").write_text(SPEC)

    def meet(case, server, code=5, **options):
        fault.where = SERVER
        path = kubeconfig(server, context=options.pop("context", "prod"), **options)
        words = ("up", "-f", tmp_path / "one.yaml", "--yes")
        return fault(case, *words, code=code, env={"KUBECONFIG": str(path)})

    return meet


@pytest.fixture
def cluster(api):
    """A context with KubeRay and the namespace raykit, in which KubeRay does nothing."""
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    for plural in ("rayclusters", "pods", "resourcequotas", "deployments", "events"):
        api.keep(plural)
    api.keep("namespaces", {"metadata": {"name": "raykit"}})
    return api


def test_docker_is_absent(fault, bare):
    said = fault("docker is absent", "kind", "up", code=4, env=bare())
    assert "docker is not on PATH" in said
    assert "next: " in said


def test_docker_refuses_the_user(fault, bare):
    words = "permission denied while trying to connect to the Docker daemon socket"
    env = bare(docker=f"echo '{words} at unix:///var/run/docker.sock' >&2; exit 1")
    said = fault("docker refuses this user", "kind", "up", code=4, env=env)
    assert "usermod -aG docker" in said


def test_kind_is_absent_or_too_old(fault, bare):
    docker = 'echo \'{"ServerVersion": "28.2.2", "NCPU": 2, "MemTotal": 17179869184}\''
    said = fault("kind is absent", "kind", "up", code=4, env=bare(docker=docker, kind=None))
    assert "kind is not on PATH" in said
    env = bare(docker=docker, kind="echo kind v0.9.0 go1.15")
    said = fault("kind is too old", "kind", "up", code=4, env=env)
    assert "0.9.0" in said


def test_without_kubectl_and_helm_a_spec_is_still_validated_and_rendered(fault, bare, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(SPEC)
    for case, words in (
        ("validate without kubectl and helm", ("validate", path)),
        ("render without kubectl and helm", ("render", "-f", path)),
    ):
        assert "error" not in fault(case, *words, code=0, env=bare(helm=None))


def test_a_kubeconfig_is_absent_malformed_or_lacks_the_context(fault, tmp_path):
    (tmp_path / "one.yaml").write_text(SPEC)
    words = ("up", "-f", tmp_path / "one.yaml", "--yes")
    absent = {"KUBECONFIG": str(tmp_path / "absent")}
    assert "next: " in fault("there is no kubeconfig", *words, code=4, env=absent)
    path = tmp_path / "broken"
    path.write_text("contexts:\n- name: a\n  context: {cluster: c\n")
    said = fault("the kubeconfig is malformed", *words, code=4, env={"KUBECONFIG": str(path)})
    assert f"{path}:" in said.replace("\n", "")
    path.write_text(json.dumps({"contexts": [{"name": "prod-eu", "context": {}}]}))
    said = fault(
        "the context does not exist",
        *words,
        "--context",
        "prod-ue",
        code=4,
        env={"KUBECONFIG": str(path)},
    )
    assert "prod-eu" in said


def test_an_api_server_is_down_silent_or_speaks_no_tls(up, api):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said = up("nothing listens on the API server's port", f"http://127.0.0.1:{port(unused)}")
    assert "nothing listens" in said
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = up("the API server never answers", f"http://127.0.0.1:{port(silent)}")
    assert "did not answer in time" in " ".join(said.split())
    plain = api.url.replace("http:", "https:")
    said = up("the API server's TLS fails", plain, **{"insecure-skip-tls-verify": True})
    assert "TLS failed" in said


def test_a_login_has_expired(up, api, tmp_path):
    login = tmp_path / "login"
    login.write_text("#!/bin/sh\necho 'session expired' >&2; exit 1\n")
    login.chmod(login.stat().st_mode | stat.S_IXUSR)
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(login)}
    said = up("the login program's session has expired", api.url, code=4, user={"exec": program})
    assert "session expired" in said
    api.refuse("/version", 401, "Unauthorized")
    assert "log in again" in up("the API server refuses the credentials", api.url)


def test_kuberay_is_absent_or_older_than_a_field(up, api, cluster):
    del cluster.answers[RAY]
    said = up("KubeRay's CRDs are absent", api.url, code=4)
    assert "KubeRay is not installed" in said
    assert "helm" in said
    cluster.say(RAY, {"resources": [{"name": "rayclusters"}]})
    unknown = "failed to create typed patch object: .spec.authOptions: field not declared in schema"
    cluster.refuse(f"{RAY}/namespaces/raykit/rayclusters/one", 500, unknown)
    said = up("KubeRay's CRD lacks a field that the spec uses", api.url, code=4)
    assert "authOptions" in said


def test_no_operator_runs(up, api, cluster):
    said = up("no operator runs", api.url)
    assert "no KubeRay operator runs here" in said
    assert "evidence kept: raykit runs show " in said.partition("error: ")[0]


def test_the_operator_watches_other_namespaces(up, api, cluster):
    container = {"name": "o", "args": ["--watch-namespace=theirs"]}
    api.keep(
        "deployments",
        {
            "metadata": {
                "name": "kuberay-operator",
                "namespace": "ray-system",
                "labels": {"app.kubernetes.io/name": "kuberay-operator"},
            },
            "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
            "status": {
                "updatedReplicas": 1,
                "conditions": [{"type": "Available", "status": "True"}],
            },
        },
    )
    said = up("the operator watches other namespaces", api.url)
    assert "KubeRay's operator does not watch namespace raykit" in said
    assert "watchNamespace={theirs,raykit}" in said


def port(listener):
    return listener.getsockname()[1]


def test_the_explanation_is_the_error_with_its_evidence_and_command():
    shown = "✓ preflight (0.1 s)\nerror: no\n  because\nnext: do it"
    assert explanation(shown) == ["error: no", "  because", "next: do it"]
    assert explanation("a\nb") == []


def test_of_a_fault_that_is_survived_the_words_about_it_are_kept():
    shown = "line 1\ndoubt: DISTURBED: a\nnode was lost; run it again\nrecord: x"
    assert quoted(shown, [r"doubt: .*? again", "line 1"]) == [
        "doubt: DISTURBED: a node was lost; run it again",
        "line 1",
    ]
    with pytest.raises(AssertionError, match="not said: \\['waiting'\\]"):
        quoted(shown, ["waiting"])
