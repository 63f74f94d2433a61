"""RayJobs from Python: the arguments, and the errors of the command line."""

import pytest

from raykit import submit
from raykit.errors import SpecError, UsageError

SPEC = "name: c\nnamespace: n\nhead: {taskCpus: 1, memory: 2Gi}\nimage: reg.example/ray:1\n"


@pytest.fixture
def cloud(api, kubeconfig, tmp_path, monkeypatch):
    """A context with KubeRay that is no kind cluster, and the spec c.yaml."""
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}, {"name": "rayjobs"}]})
    api.keep("rayjobs")
    kubeconfig(api.url, context="cloud")
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(SPEC)
    return api


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"ttl": 5, "delete": ["cluster=5"]}, "--ttl would do nothing"),
        ({"delete": ["everything=5"]}, "--delete 'everything=5' is no rule"),
        ({"delete": "everything=5"}, "--delete 'everything=5' is no rule"),
        ({"deadline": True}, "deadline: True is not a whole number"),
        ({"deadline": 0}, "deadline: 0 is not a number from 1"),
        ({"start_deadline": float("nan")}, "start_deadline: nan is not a number"),
        ({"ttl": 1.5}, "ttl: 1.5 is not a whole number"),
        ({"file": "c.yaml", "on": "c"}, "two places to run"),
        ({"file": "none.yaml"}, "none.yaml"),
        ({"file": "c.yaml"}, "not confirmed: run fib with a cluster of its own in namespace n"),
        ({"on": "local"}, "--as rayjob needs a RayCluster"),
    ],
)
def test_what_the_command_line_refuses_is_refused(cloud, given, what):
    with pytest.raises(UsageError) as refused:
        submit("fib", as_="rayjob", **given)
    assert what in refused.value.what
    assert cloud.kept["rayjobs"] == {}


def test_a_spec_that_is_invalid_is_that_error(cloud, tmp_path):
    (tmp_path / "c.yaml").write_text("name: C\n")
    with pytest.raises(SpecError):
        submit("fib", as_="rayjob", file="c.yaml")


def test_arguments_of_rayjobs_do_nothing_without_as(cloud):
    with pytest.raises(UsageError, match="ttl and yes would do nothing: only as_='rayjob'"):
        submit("fib", ttl=0, yes=True)
    with pytest.raises(UsageError, match="as_='pod' is no way to submit a job"):
        submit("fib", as_="pod")
