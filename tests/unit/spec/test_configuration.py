"""How people get a spec wrong, by kind: YAML, and the path and line of each problem.

Two kinds are tests of commands: RAY_ADDRESS in the shell (`tests/local/test_house_submit.py` and
`tests/unit/app/test_envelope.py`), and a folder with the user's own files
(`tests/unit/flows/test_manifests.py`).
"""

import pytest

from raykit.spec.load import inspect
from raykit.spec.problems import dotted

HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"
SCALED = GROUP + "  maxReplicas: 2\nautoscaling: {enabled: true}\n"
JOB = HEAD + "jobs: [{name: fib, job: fib}]\n"
CLUSTER_NAME = "must start with a letter"


def named(name):
    return HEAD.replace("name: c", f"name: {name}")


def sized(memory):
    return HEAD.replace("4Gi", memory)


REFUSED = {
    "keys that do not exist": [
        (HEAD + "worker: {replcas: 3}\n", "worker", 5, 'did you mean "workers"?'),
        (GROUP + "  replcas: 3\n", "workers[0].replcas", 7, 'did you mean "replicas"?'),
    ],
    "keys that stand twice": [
        (HEAD + "name: d\n", "", 5, 'the key "name" stands here twice'),
        (HEAD + "  memory: 5Gi\n", "head", 5, 'the key "memory" stands here twice'),
    ],
    "scalars that YAML 1.1 reads as something else": [
        (HEAD + "  env: {A: no}\n", "head.env.A", 5, "YAML reads no as false"),
        (HEAD + "  env: {A: NO}\n", "head.env.A", 5, "YAML reads NO as false"),
        (HEAD + "  env: {A: yes}\n", "head.env.A", 5, "YAML reads yes as true"),
        (GROUP + "  replicas: 012\n", "workers[0].replicas", 7, "reads 012 as another number"),
        (GROUP + "  replicas: 1:30\n", "workers[0].replicas", 7, "reads 1:30 as another number"),
        (GROUP + "  replicas: 0x10\n", "workers[0].replicas", 7, "reads 0x10 as another number"),
        (GROUP + "  replicas: 1_000\n", "workers[0].replicas", 7, "reads 1_000 as another"),
        (HEAD + "rayVersion: 3.10\n", "rayVersion", 5, 'quote it, "3.10"'),
        (HEAD + "  env: {A: 2020-01-01}\n", "head.env.A", 5, "as a date: quote it"),
    ],
    "YAML that specs do not use": [
        (HEAD + "x: !!python/object/apply:os.system [a]\n", "", 5, "specs know no tags"),
        (HEAD + "x: !mine 3\n", "", 5, "tag !mine: specs know no tags"),
        (HEAD + "---\nname: d\n", "", 5, "a second document: a file holds one spec"),
        (HEAD + "\tenv: {}\n", "", 5, "a tab stands where YAML wants spaces"),
        ("", "", 1, "is empty"),
    ],
    "names": [
        (named("My_Ray"), "name", 1, 'for example "my-ray"'),
        (named("C"), "name", 1, CLUSTER_NAME),
        (named("a_b"), "name", 1, CLUSTER_NAME),
        (named("ä"), "name", 1, CLUSTER_NAME),
        (named("1a"), "name", 1, 'for example "a"'),
        (named("a-"), "name", 1, 'for example "a"'),
        (named("a" * 54), "name", 1, "at most 53: KubeRay adds suffixes"),
        (JOB.replace("name: c", f"name: {'c' * 40}"), "jobs[0].name", 5, "longer than 47"),
    ],
    "quantities": [
        (sized("1GB"), "head.memory", 4, 'did you mean "1Gi"?'),
        (sized("1g"), "head.memory", 4, "not a Kubernetes quantity"),
        (sized("5K"), "head.memory", 4, "not a Kubernetes quantity"),
        (sized("1 Gi"), "head.memory", 4, 'did you mean "1Gi"?'),
        (HEAD + "  cpu: 4cores\n", "head.cpu", 5, "not a Kubernetes quantity"),
        (HEAD + "  cpu: 1,5\n", "head.cpu", 5, "not a Kubernetes quantity"),
        (sized("-1"), "head.memory", 4, "negative"),
        (sized("1u"), "head.memory", 4, "Ray's object store needs"),
        (sized("100m"), "head.memory", 4, "Ray's object store needs"),
    ],
    "replicas and processors": [
        (
            GROUP + "  minReplicas: 3\n  maxReplicas: 2\n",
            "workers[0].minReplicas",
            7,
            "above maxReplicas",
        ),
        (GROUP + "  replicas: -1\n", "workers[0].replicas", 7, "greater than or equal to 0"),
        (
            SCALED.replace("maxReplicas: 2", "minReplicas: 0"),
            "workers[0].maxReplicas",
            5,
            "is required with autoscaling",
        ),
        (HEAD + "  cpuLimit: 1\n  cpu: 1\n", "head.cpuLimit", 5, "2 task CPUs are offered"),
        (HEAD + "  cpu: 3\n  cpuLimit: 2\n", "head.cpu", 5, "above cpuLimit"),
    ],
    "memory and its parts": [
        (HEAD.replace("  memory: 4Gi\n", ""), "head.memory", 2, "is required"),
        (HEAD + "  sharedMemory: 5Gi\n", "head.sharedMemory", 5, "above memory"),
        (HEAD + "  sharedMemory: 64Mi\n", "head.sharedMemory", 5, "Ray's object store needs"),
    ],
    "versions of Ray": [
        (
            HEAD + "rayVersion: 2.59.0\nimage: rayproject/ray:2.60.0-py311\n",
            "image",
            6,
            'its tag names Ray 2.60.0, rayVersion is "2.59.0"',
        ),
        (HEAD + "rayVersion: 2.59.0\n", "rayVersion", 5, "raykit's own image holds Ray 2.60.0"),
    ],
}
DOUBTED = {
    "quantities": [
        (sized("4000000000000m"), "head.memory", 4, "fraction of bytes"),
        (sized("4294967296"), "head.memory", 4, "in bytes"),
        (sized("1E"), "head.memory", 4, "over 1Ti"),
    ],
    "memory and its parts": [
        (sized("1Gi"), "head.memory", 4, "an idle head takes 600 MB; give it 2Gi"),
        (
            GROUP.replace("memory: 1Gi", "memory: 512Mi"),
            "workers[0].memory",
            6,
            "an idle Ray node takes 250 MB; give it 1Gi",
        ),
    ],
}


def rows(table):
    return [pytest.param(*row, id=f"{kind}-{row[1]}") for kind in table for row in table[kind]]


def said(problems):
    return [(dotted(each.path), each.line, each.message) for each in problems]


@pytest.mark.parametrize(("text", "path", "line", "words"), rows(REFUSED))
def test_a_wrong_spec_is_refused_at_its_line(text, path, line, words):
    problems = inspect(text).problems
    assert (dotted(problems[0].path), problems[0].line) == (path, line), said(problems)
    assert words in problems[0].message


@pytest.mark.parametrize(("text", "path", "line", "words"), rows(DOUBTED))
def test_a_doubtful_spec_is_a_spec_with_a_warning(text, path, line, words):
    report = inspect(text)
    assert report.problems == ()
    found = said(report.warnings)
    assert any((path, line) == each[:2] and words in each[2] for each in found), found


def test_a_byte_order_mark_and_windows_line_ends_change_nothing():
    text = HEAD.replace("\n", "\r\n").encode()
    assert inspect(b"\xef\xbb\xbf" + text).spec == inspect(HEAD).spec
