"""What `raykit submit --as rayjob` refuses, before anything is made."""

import pytest

SPEC = "name: c\nnamespace: n\nhead: {taskCpus: 1, memory: 2Gi}\nimage: reg.example/ray:1\n"


@pytest.fixture
def kuberay(api, kubeconfig, tmp_path, monkeypatch):
    """An API server with KubeRay; its context is no kind cluster."""
    resources = [{"name": name} for name in ("rayclusters", "rayjobs")]
    api.say("/apis/ray.io/v1", {"resources": resources})
    api.keep("rayjobs")
    kubeconfig(api.url, context="cloud")
    monkeypatch.chdir(tmp_path)
    return api


@pytest.fixture
def spec(tmp_path):
    def write(more=""):
        path = tmp_path / "c.yaml"
        path.write_text(SPEC + more)
        return path

    return write


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--on", "local"), "--as rayjob needs a RayCluster"),
        (("--on", "http://127.0.0.1:1"), "--as rayjob needs a RayCluster"),
        (("--ttl", "5", "--delete", "cluster=5"), "--ttl would do nothing"),
        (("--delete", "everything=5"), "--delete 'everything=5' is no rule"),
        (("--delete", "FAILED:head=5"), "is no rule"),
    ],
)
def test_options_that_contradict_each_other_are_refused(kuberay, raykit, words, what):
    code, _, said = raykit("submit", "fib", "--as", "rayjob", *words)
    assert (code, what in said) == (2, True), said


@pytest.mark.parametrize(
    ("more", "words", "what"),
    [
        ("", ("--on", "c"), "two places to run"),
        ("", ("--header", "A: b"), "--header would do nothing"),
        ("queue: team\n", ("--delete", "cluster=5"), "--delete has no place in a queue"),
        ("networkPolicy: {enabled: true, openEgress: true}\n", (), "renders to NetworkPolicy"),
        ("jobs: [{name: a, entrypoint: [echo]}]\n", (), "renders to RayJob as well"),
        ("", ("--delete", "workers=9", "--delete", "cluster=5"), "KubeRay would refuse the RayJob"),
        ("", (), "not confirmed: run fib with a cluster of its own in namespace n"),
    ],
)
def test_a_cluster_of_its_own_is_refused_before_anything_is_made(
    kuberay, raykit, spec, more, words, what
):
    yes = () if what.startswith("not confirmed") else ("--yes",)
    file = ("--as", "rayjob", "-f", spec(more))
    code, _, said = raykit("submit", "fib", *file, *words, *yes)
    assert (code, what in said) == (2, True), said
    assert kuberay.kept["rayjobs"] == {}


@pytest.mark.parametrize(
    "words", [("--ttl", "5"), ("-f", "x.yaml"), ("--deadline", "5"), ("--delete", "cluster=5")]
)
def test_options_of_rayjobs_do_nothing_without_as(kuberay, raykit, words):
    code, _, said = raykit("submit", "fib", *words)
    assert code == 2
    assert "would do nothing: only --as rayjob uses such options" in said
