"""Rules that span fields: what is refused, what is only doubted."""

import pytest

from raykit.spec.load import inspect, load
from raykit.spec.problems import dotted
from raykit.spec.rules.images import ray_version_of

HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"
SCALED = GROUP + "  maxReplicas: 2\nautoscaling:\n  enabled: true\n"


def refused(text):
    return [(dotted(p.path), p.message) for p in inspect(text).problems]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (HEAD.replace("  taskCpus: 2\n", ""), "head.taskCpus", "at least 1"),
        (HEAD.replace("taskCpus: 2", "taskCpus: 0"), "head.taskCpus", "at least 1"),
        (GROUP.replace("head:", "head:\n  taskCpus: 1"), "head.taskCpus", "takes no tasks"),
        (HEAD + "  cpu: 3\n  cpuLimit: 2\n", "head.cpu", "above cpuLimit"),
        (HEAD + "  cpuLimit: 1500m\n  cpu: 1\n", "head.cpuLimit", "2 task CPUs are offered"),
        (HEAD + "  cpu: 0\n", "head.cpu", "above 0"),
        (GROUP.replace("memory: 2Gi", "memory: 2Gi\n  cpuLimit: 500m"), "head.cpuLimit", "below"),
        (HEAD + "  sharedMemory: 5Gi\n", "head.sharedMemory", "above memory"),
        (HEAD + "  sharedMemory: 64Mi\n", "head.sharedMemory", "Ray's object store"),
        (HEAD.replace("4Gi", "200Mi"), "head.memory", "Ray's object store"),
        (HEAD.replace("4Gi", "0"), "head.memory", "Ray's object store"),
        (HEAD + "  tmpStorage: 0\n", "head.tmpStorage", "above 0"),
        (HEAD.replace("4Gi", "-4Gi"), "head.memory", "negative"),
        (GROUP + "  minReplicas: 3\n  maxReplicas: 2\n", "workers[0].minReplicas", "above max"),
        (GROUP + "  replicas: 3\n  maxReplicas: 2\n", "workers[0].replicas", "not between 0 and 2"),
        (
            GROUP + "  replicas: 1\n  minReplicas: 2\n  maxReplicas: 3\n",
            "workers[0].replicas",
            "not",
        ),
        (GROUP + "- name: w\n  memory: 1Gi\n", "workers[0].name", "more than one group"),
        (SCALED + "workers2: {}\n", "workers2", "unknown key"),
        (SCALED.replace("maxReplicas: 2", "minReplicas: 1"), "workers[0].maxReplicas", "required"),
        (
            SCALED.replace("maxReplicas: 2", "maxReplicas: 2\n  replicas: 1"),
            "workers[0].replicas",
            "the autoscaler decides it",
        ),
        (HEAD + "autoscaling:\n  enabled: true\n", "autoscaling.enabled", "no workers"),
        (
            GROUP + "autoscaling:\n  idleTimeoutSeconds: 9\n",
            "autoscaling.idleTimeoutSeconds",
            "no effect",
        ),
        (HEAD + "  env: {RAY_AUTH_TOKEN: s}\n", "head.env.RAY_AUTH_TOKEN", "no place in a spec"),
        (HEAD + "  env: {RAY_REDIS_ADDRESS: s}\n", "head.env.RAY_REDIS_ADDRESS", "fault tolerance"),
        (HEAD + "  env: {RAY_ADDRESS: s}\n", "head.env.RAY_ADDRESS", "KubeRay sets it"),
        (
            HEAD + "  env: {RAY_enable_autoscaler_v2: '1'}\n",
            "head.env.RAY_enable_autoscaler_v2",
            "",
        ),
        (HEAD + "rayVersion: 2.59.0\n", "rayVersion", "raykit's own image holds Ray 2.60.0"),
        (HEAD + "rayVersion: 2.55.1\nimage: a/b:c\n", "rayVersion", "known vulnerabilities"),
        (HEAD + "image: rayproject/ray:2.59.0-py311\n", "image", "its tag names Ray 2.59.0"),
        (
            HEAD + "  tolerations: [{operator: Exists, value: x}]\n",
            "head.tolerations[0].value",
            "Exists",
        ),
        (HEAD + "  tolerations: [{value: x}]\n", "head.tolerations[0].key", "required"),
        (HEAD + "  tolerations: [{key: ''}]\n", "head.tolerations[0].key", "required"),
        (HEAD + "  tolerations: [{key: a b}]\n", "head.tolerations[0].key", "not a label key"),
        (HEAD + "  tolerations: [{key: A/b}]\n", "head.tolerations[0].key", "in lower case"),
        (
            HEAD + "  tolerations: [{key: a, value: b c}]\n",
            "head.tolerations[0].value",
            "not a label value",
        ),
        (HEAD + "  nodeSelector: {a..b/c: d}\n", "head.nodeSelector.a..b/c", "in lower case"),
        (HEAD + "image: https://x/y\n", "image", "no scheme"),
        (HEAD.replace("4Gi", "1e999"), "head.memory", "more than Kubernetes can count"),
        (
            HEAD + "  tolerations: [{key: a, tolerationSeconds: 3}]\n",
            "head.tolerations[0].tolerationSeconds",
            "NoExecute",
        ),
    ],
)
def test_a_broken_rule_is_refused_at_its_path(text, path, words):
    ((where, message), *others) = refused(text)
    assert where == path
    assert words in message
    assert not others or "more than one group" in others[0][1]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "  cpu: 100m\n  cpuLimit: 2\n",
        HEAD + "  sharedMemory: 84Mi\n",
        HEAD + "rayVersion: 2.56.0\nimage: rayproject/ray:2.56.0-py311-aarch64\n",
        HEAD + "rayVersion: 2.58.0\nimage: registry:5000/team/app:1.2.3\n",
        HEAD + "  tolerations: [{operator: Exists}]\n",
        HEAD.replace("name: c", f"name: {'a' * 53}"),
        GROUP + "  replicas: 0\n",
        GROUP + "  replicas: 2\n  minReplicas: 2\n  maxReplicas: 2\n",
        SCALED,
        SCALED + "  idleTimeoutSeconds: 5\n",
    ],
)
def test_what_lies_just_within_a_rule_is_a_spec(text):
    load(text)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (HEAD.replace("4Gi", "1Gi"), "head.memory", "is small"),
        (GROUP.replace("memory: 1Gi", "memory: 512Mi"), "workers[0].memory", "is small"),
        (HEAD.replace("4Gi", "4000000000000m"), "head.memory", "fraction of bytes"),
        (HEAD.replace("4Gi", "4294967296"), "head.memory", "in bytes"),
        (HEAD.replace("4Gi", "1E"), "head.memory", "over 1Ti"),
        (HEAD + "  sharedMemory: 3Gi\n", "head.sharedMemory", "over half"),
        (HEAD + "  cpu: 1e6\n", "head.cpu", "over 1024 CPUs"),
        (HEAD + "auth: {mode: disabled}\n", "auth.mode", "can run code"),
        (HEAD + "image: team/app\n", "image", "not fixed"),
        (HEAD + "image: rayproject/ray:latest\n", "image", "not fixed"),
        (GROUP + "  replicas: 0\n", "workers", "nothing takes tasks"),
    ],
)
def test_what_is_doubtful_is_a_warning_and_no_problem(text, path, words):
    report = inspect(text)
    (warning,) = report.warnings
    assert report.spec is not None
    assert (dotted(warning.path), words in warning.message) == (path, True)
    assert warning.line > 0


def test_an_ordinary_spec_raises_no_doubt():
    assert inspect(HEAD).warnings == inspect(GROUP).warnings == inspect(SCALED).warnings == ()


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("rayproject/ray:2.60.0-py311", "2.60.0"),
        ("rayproject/ray:2.60.0", "2.60.0"),
        ("rayproject/ray-ml:2.60.0.abc-py310-gpu", "2.60.0"),
        ("registry:5000/mirror/ray:2.60.0-py311@sha256:00", "2.60.0"),
        ("raykit:2.60.0-py311-0123abcd", "2.60.0"),
        ("team/app:ray2.59.0", "2.59.0"),
        ("team/app:v3-ray-2.59.0", "2.59.0"),
        ("team/app:2.59.0-py312", "2.59.0"),
        ("team/app:1.2.3", None),
        ("team/ray-app:1.2.3", None),
        ("registry:5000/ray", None),
        ("rayproject/ray:latest", None),
    ],
)
def test_the_ray_version_is_read_from_a_tag_only_where_it_names_one(image, version):
    assert ray_version_of(image) == version
