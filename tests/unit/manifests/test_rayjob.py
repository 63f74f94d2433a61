"""Jobs of a spec: the name says what runs, and only what runs."""

import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raykit.manifests.rayjob import entrypoint
from raykit.manifests.render import render
from raykit.spec.load import load
from raykit.spec.parts import Job

BASE = "name: c\nhead: {taskCpus: 1, memory: 2Gi}\n"
JOB = "jobs: [{name: fib, job: fib, arguments: ['--size', '9']}]\n"


def job(text, image="raykit:2.60.0-x"):
    (made,) = [each for each in render(load(text), image=image) if each["kind"] == "RayJob"]
    return made


def name(text, **options):
    return job(text, **options)["metadata"]["name"]


def test_the_same_job_has_the_same_name():
    assert name(BASE + JOB) == name(BASE + JOB)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'9'", "'8'"),
        ("job: fib,", "job: fib, env: {A: b},"),
        ("job: fib,", "job: fib, ownCluster: true,"),
        ("job: fib,", "job: fib, deadlineSeconds: 60,"),
        ("memory: 2Gi", "memory: 3Gi"),
    ],
)
def test_other_content_is_another_job(old, new):
    assert name(BASE + JOB) != name((BASE + JOB).replace(old, new))


def test_another_image_is_another_job():
    assert name(BASE + JOB) != name(BASE + JOB, image="raykit:2.60.0-y")


def test_how_long_a_finished_job_stays_does_not_run_it_again():
    own = BASE + JOB.replace("job: fib,", "job: fib, ownCluster: true,")
    kept = own.replace("ownCluster: true,", "ownCluster: true, ttlSeconds: 5,")
    assert name(own) == name(kept)
    assert job(kept)["spec"]["ttlSecondsAfterFinished"] == 5


def test_a_job_on_a_shared_cluster_has_no_time_to_live_which_kuberay_would_refuse():
    assert job(BASE + JOB)["spec"]["ttlSecondsAfterFinished"] == 0


def test_a_job_runs_at_most_once():
    spec = job(BASE + JOB)["spec"]
    assert (spec["backoffLimit"], spec["submitterConfig"]) == (0, {"backoffLimit": 0})
    assert spec["submitterPodTemplate"]["spec"]["restartPolicy"] == "Never"


def test_a_job_runs_on_the_specs_cluster_or_on_its_own():
    shared = job(BASE + JOB)["spec"]
    own = job(BASE + JOB.replace("job: fib,", "job: fib, ownCluster: true,"))
    assert shared["clusterSelector"] == {"ray.io/cluster": "c"}
    assert "rayClusterSpec" not in shared
    assert own["spec"]["shutdownAfterJobFinishes"] is True
    assert own["spec"]["rayClusterSpec"]["headGroupSpec"]


def test_deadlines_and_environment_reach_kuberays_fields():
    text = "job: fib, env: {B: '2', A: '1'}, deadlineSeconds: 9, startDeadlineSeconds: 5,"
    spec = job(BASE + JOB.replace("job: fib,", text))["spec"]
    assert (spec["activeDeadlineSeconds"], spec["preRunningDeadlineSeconds"]) == (9, 5)
    assert yaml.safe_load(spec["runtimeEnvYAML"]) == {"env_vars": {"A": "1", "B": "2"}}


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_words_stay_words_behind_a_shell(words):
    made = entrypoint(Job(name="j", entrypoint=["run"], arguments=words))
    assert shlex.split(made) == ["run", *words]
