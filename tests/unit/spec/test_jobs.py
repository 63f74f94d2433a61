"""Jobs of a spec: which names an image can run."""

import pytest

from raykit.spec.load import inspect, load
from raykit.spec.problems import dotted
from raykit.spec.rules import jobs

HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
CARRIED = ["fib", "gsod"]


def spec(job, image=""):
    return load(f"{HEAD}{image}jobs: [{{name: a, job: {job}}}]\n")


@pytest.mark.parametrize("job", ["fib", "gsod", "gsod.tutorial"])
def test_the_jobs_of_raykits_image_and_what_comes_with_them_are_known(job):
    assert list(jobs.unknown(spec(job), CARRIED)) == []
    assert list(jobs.doubtful(spec(job, "image: a/b:c\n"), CARRIED)) == []


@pytest.mark.parametrize(
    ("job", "advice"), [("fibb", 'did you mean "fib"?'), ("nope", "raykit's: fib, gsod")]
)
def test_an_unknown_job_is_refused_for_raykits_image_and_doubted_for_another(job, advice):
    (problem,) = jobs.unknown(spec(job), CARRIED)
    assert dotted(problem.path) == "jobs[0].job"
    assert problem.message == f'raykit\'s own image has no job "{job}"; {advice}'
    other = spec(job, "image: a/b:c\n")
    assert list(jobs.unknown(other, CARRIED)) == []
    (doubt,) = jobs.doubtful(other, CARRIED)
    assert doubt.message == f'runs only if a/b:c carries a job "{job}"; {advice}'
    assert list(jobs.doubtful(spec(job), CARRIED)) == []


@pytest.mark.parametrize("job", ["a b", "../x", "fib.", "", "-m", "fib;rm", "ſ"])
def test_what_is_no_module_is_refused_for_every_image(job):
    (problem,) = inspect(f"{HEAD}image: a/b:c\njobs: [{{name: a, job: '{job}'}}]\n").problems
    assert dotted(problem.path) == "jobs[0].job"
    assert "no name of a module" in problem.message


def test_a_command_is_not_looked_up():
    text = f"{HEAD}jobs: [{{name: a, entrypoint: [nope]}}]\n"
    assert list(jobs.unknown(load(text), CARRIED)) == []
