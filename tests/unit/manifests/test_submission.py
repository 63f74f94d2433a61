"""The RayJob of one submission: KubeRay takes it, it runs once, and no shell changes it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.kuberay.rayjobs import submitter
from raykit.manifests import schema, submission
from raykit.manifests.judging import kuberay, pod_security
from raykit.manifests.render import render
from raykit.manifests.submission import Deletion, Lifetime, Submission
from raykit.spec import names
from raykit.spec.load import load
from tests.programs import write_program

SPEC = "name: c\nnamespace: n\nhead: {taskCpus: 1, memory: 2Gi}\n"
PROGRAM = "print('$HOME', \"`id`\")\n"
VERSIONS = ("1.6.2", "1.7.0")


def cluster(text=SPEC):
    rendered = render(load(text), image="raykit:2.60.0-x")
    return next(each for each in rendered if each["kind"] == "RayCluster")


def job(lifetime=Lifetime(), packages=(), **payload):  # noqa: B008  (it is frozen)
    plain = {"entrypoint": "echo 'a b'", "submission_id": "20261126-fib-1", "metadata": {}}
    program = (PROGRAM, submitter.WORK)
    return Submission("fib-1", "run-1", plain | payload, "hash", *program, packages, lifetime)


def expanded(text, variables=()):
    """What Kubernetes makes of `$` in a container's command and variables."""
    known = dict(variables)

    def replace(match):
        word = match[0]
        return "$" if word == "$$" else known.get(word[2:-1], word)

    return re.sub(r"\$\$|\$\([^)]*\)", replace, text)


def container(item):
    return item["spec"]["submitterPodTemplate"]["spec"]["containers"][0]


LIFETIMES = [
    Lifetime(),
    Lifetime(deadline=60, start_deadline=30),
    Lifetime(kept=0),
    Lifetime(deletions=(Deletion("workers", 5, "FAILED"), Deletion("cluster", 60))),
    Lifetime(deletions=(Deletion("rayjob", 600),)),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_kuberay_takes_a_rayjob_with_its_own_cluster(lifetime, version):
    item = submission.with_own_cluster(job(lifetime), cluster(SPEC + f"kuberay: {version}\n"))
    assert schema.check(item, version) == []
    assert kuberay.problems(item, version) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lifetime", LIFETIMES[:2])
def test_kuberay_takes_a_rayjob_on_a_cluster_that_is_there(lifetime, version):
    item = submission.on_cluster(job(lifetime), cluster())
    assert schema.check(item, version) == []
    assert kuberay.problems(item, version) == []
    assert item["spec"]["clusterSelector"] == {"ray.io/cluster": "c"}


@pytest.mark.parametrize("make", [submission.on_cluster, submission.with_own_cluster])
def test_nothing_submits_the_job_a_second_time(make):
    spec = make(job(), cluster())["spec"]
    assert spec["submissionMode"] == "K8sJobMode"
    assert (spec["backoffLimit"], spec["submitterConfig"]) == (0, {"backoffLimit": 0})
    assert spec["submitterPodTemplate"]["spec"]["restartPolicy"] == "Never"
    assert spec["jobId"] == "20261126-fib-1"


def test_the_submitters_pod_passes_pod_security_restricted():
    item = submission.on_cluster(job(), cluster())
    assert pod_security.problems(item, "restricted") == ()


def test_the_submitter_runs_where_the_heads_image_can_be_had():
    more = (
        "image: reg.example/ray:1\npullSecrets: [login]\n"
        "head:\n  taskCpus: 1\n  memory: 2Gi\n  nodeSelector: {pool: ray}\n"
        "  tolerations: [{key: ray, operator: Exists}]\n"
    )
    item = submission.on_cluster(job(), cluster("name: c\nnamespace: n\n" + more))
    pod = item["spec"]["submitterPodTemplate"]["spec"]
    assert container(item)["image"] == "reg.example/ray:1"
    assert pod["imagePullSecrets"] == [{"name": "login"}]
    assert pod["nodeSelector"] == {"pool": "ray"}
    assert [each["key"] for each in pod["tolerations"]] == ["ray"]


def test_a_cluster_of_a_rayjob_is_not_taken_for_one_of_raykit_up():
    metadata = submission.with_own_cluster(job(), cluster())["metadata"]
    assert names.CLUSTER_LABEL not in metadata["labels"]
    assert names.HASH_ANNOTATION not in metadata["annotations"]


@pytest.mark.parametrize(("scaled", "elastic"), [(False, None), (True, "true")])
def test_a_queue_admits_the_rayjob_and_an_autoscaled_one_may_grow(scaled, elastic):
    more = "queue: team\n"
    if scaled:
        more += "autoscaling: {enabled: true}\nworkers: [{name: w, memory: 1Gi, maxReplicas: 2}]\n"
        head = "head: {taskCpus: 0, memory: 2Gi}\n"
        text = "name: c\nnamespace: n\n" + head + more
    else:
        text = SPEC + more
    metadata = submission.with_own_cluster(job(), cluster(text))["metadata"]
    assert metadata["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert metadata["annotations"].get("kueue.x-k8s.io/elastic-job") == elastic


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3))
def test_no_value_is_changed_on_its_way_to_the_submitter(variables):
    item = submission.on_cluster(job(runtime_env={"env_vars": variables}), cluster())
    (work,) = container(item)["env"]
    sent = json.loads(expanded(work["value"], dict.fromkeys(variables, "changed")))
    assert sent["payload"]["runtime_env"]["env_vars"] == variables


def test_the_shell_of_the_pod_runs_the_program_unchanged(tmp_path):
    import subprocess

    write_program(tmp_path / "ray", '#!/bin/sh\necho "ray $*"\n')
    (tmp_path / "python").symlink_to("/bin/echo")
    item = submission.on_cluster(job(Lifetime(deadline=9)), cluster())
    command = [expanded(word) for word in container(item)["command"]]
    done = subprocess.run(
        command,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "RAY_DASHBOARD_ADDRESS": "head:8265",
            "RAY_JOB_SUBMISSION_ID": "id-1",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout == (
        f"-c {PROGRAM} submit\nray job logs --address http://head:8265 --follow id-1\n"
    ), done.stderr


@pytest.mark.parametrize(
    ("follow", "words"),
    [("sleep 9", "stop"), ("exit 3", None), ("exit 0", None)],
)
def test_only_the_deadline_stops_the_job(tmp_path, follow, words):
    import subprocess

    write_program(tmp_path / "ray", f"#!/bin/sh\n{follow}\n")
    (tmp_path / "python").symlink_to("/bin/echo")
    item = submission.on_cluster(job(Lifetime(deadline=1)), cluster())
    command = [expanded(word) for word in container(item)["command"]]
    variables = {"RAY_DASHBOARD_ADDRESS": "head:8265", "RAY_JOB_SUBMISSION_ID": "id-1"}
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.stdout.rstrip().endswith(words or "submit")
    assert done.returncode == (3 if follow == "exit 3" else 0)


@given(st.text(max_size=60), st.text(min_size=1, max_size=30))
def test_a_rayjobs_name_is_one_that_kuberay_takes(name, submission_id):
    made = submission.rayjob_name(name, submission_id)
    assert names.resource_name(made, names.LONGEST_RAYJOB) == made
    assert made == submission.rayjob_name(name, submission_id)
    assert made != submission.rayjob_name(name, submission_id + "x")
