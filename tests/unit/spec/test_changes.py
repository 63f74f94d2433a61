"""`--set` and `--job`: what they change, and how what is wrong is said."""

import pytest

from raykit.errors import SpecError, UsageError
from raykit.spec.load import load, overridden

SPEC = """\
name: c
head: {memory: 4Gi}
workers:
- {name: small, memory: 4Gi, replicas: 1}
"""


def changed(*settings, jobs=()):
    return overridden(load(SPEC), settings=settings, jobs=jobs)


def wrong(*settings, jobs=()):
    with pytest.raises(SpecError) as raised:
        changed(*settings, jobs=jobs)
    return list(raised.value.evidence)


def test_values_are_set_at_any_depth_and_read_as_yaml():
    spec = changed(
        "workers[0].replicas=2",
        "workers[0].env.A=b=c",
        'head.nodeSelector["a.b/c"]="1"',
        "head.resources={x: 0.25}",
        "workers[1]={name: big, memory: 8Gi}",
        "workers[1].taskCpus=3",
        "name=other",
        "name=another",
    )
    small, big = spec.workers
    assert (small.replicas, small.env) == (2, {"A": "b=c"})
    assert (spec.head.node_selector, spec.head.resources) == ({"a.b/c": "1"}, {"x": 0.25})
    assert (big.name, big.task_cpus, spec.name) == ("big", 3, "another")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("hed.memory=4Gi", 'hed: unknown key; did you mean "head"?'),
        ("head.memry=4Gi", 'head.memry: unknown key; did you mean "memory"?'),
        ("workers[0].max_replicas=3", "did you mean \"maxReplicas\"?"),
        ("workers[3].replicas=2", "workers[3]: the list has only 1 items: the next is [1]"),
        ("workers.replicas=2", "workers.replicas: is below a list: name an item, such as [0]"),
        ("head[0]=1", "head[0]: is no list"),
        ("name.first=a", "name.first: is below a plain value, which has no fields"),
        ("name=", 'name: has no value: give one; an empty text is ""'),
        ("name=null", 'name: has no value: give one; an empty text is ""'),
        ("suspend=yes", "suspend: YAML reads yes as true: write true, or quote it"),
        ("head.memory=4GB", 'did you mean "4Gi"?'),
        ("name=*a", "name: alias *a: write the value out"),
        ("head.env={A: b, A: c}", 'head.env: the key "A" stands here twice'),
        ("jobs=fib", "jobs: must be a list"),
        ("name=\udcff", "name: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_its_path(setting, problem):
    (line,) = wrong(setting)
    assert problem in line


def test_every_setting_that_is_wrong_is_listed():
    assert len(wrong("suspend=yes", "workers.a=1", "name=")) == 3


@pytest.mark.parametrize("setting", ["name", "=a", "", ".name=a", "[0]=a", "a..b=c", "a[-1]=b",
                                     ".".join("a" * 40) + "=1"])  # fmt: skip
def test_what_is_no_path_and_value_is_wrong_usage(setting):
    with pytest.raises(UsageError, match="--set"):
        changed(setting)


def test_a_job_is_added_under_a_name_of_its_own():
    spec = changed(jobs=["fib --size 20", "fib --size '3 0'", "gsod"])
    assert [(each.name, each.job, each.arguments) for each in spec.jobs] == [
        ("fib", "fib", ["--size", "20"]),
        ("fib-2", "fib", ["--size", "3 0"]),
        ("gsod", "gsod", []),
    ]


@pytest.mark.parametrize("text", ["", "  ", "fib 'open"])
def test_a_text_that_holds_no_job_is_wrong_usage(text):
    with pytest.raises(UsageError, match="--job"):
        changed(jobs=[text])


def test_a_job_with_a_bad_name_is_a_problem():
    assert "jobs[0].name" in wrong(jobs=["Fib"])[0]


def test_no_value_takes_a_key_away_in_a_patch_alone():
    text = "name: c\nhead: {taskCpus: 1, memory: 4Gi, patch: {spec: {a: null}}}\n"
    assert load(text).head.patch == {"spec": {"a": None}}


@pytest.mark.parametrize("number", [".inf", ".nan", "1_0.5", "1:30.5"])
def test_fractions_are_written_in_plain_digits(number):
    with pytest.raises(SpecError, match="1 problem"):
        load(f"name: c\nhead: {{taskCpus: 1, memory: 4Gi, resources: {{x: {number}}}}}\n")
