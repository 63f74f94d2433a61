"""Specs as people mistype them: every problem, with its path and line."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit.errors import SpecError, UsageError
from raykit.spec.load import inspect, load, load_file, overridden
from raykit.spec.problems import dotted

HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
POLICY = HEAD + "networkPolicy: {enabled: true, apiServer: "
UNFIT = "name: c\nhead:\n  memory: 2Gi\n"  # the head must offer task CPUs
GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"


def found(text):
    """Path, line and column of each problem."""
    return [(dotted(p.path), p.line, p.column) for p in inspect(text).problems]


def message(text):
    """The message of the one problem."""
    (problem,) = inspect(text).problems
    return problem.message


def test_a_single_node_cluster_takes_four_lines():
    spec = load(HEAD)
    assert (spec.name, spec.task_cpus, spec.ray_version, spec.auth.mode) == (
        "c",
        2,
        "2.60.0",
        "token",
    )
    assert spec.image is None


def test_a_group_has_defaults_for_all_but_name_and_memory():
    (group,) = load(GROUP).workers
    assert (group.task_cpus, group.replicas, group.min_replicas) == (1, None, 0)
    assert load(GROUP).task_cpus == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # keys
        (HEAD + "nmae: d\n", [("nmae", 5, 1)]),
        (HEAD + "  memry: 1Gi\n", [("head.memry", 5, 3)]),
        (GROUP + "  replcas: 3\n", [("workers[0].replcas", 7, 3)]),
        (HEAD + "name: d\n", [("", 5, 1)]),
        (HEAD + "  memory: 5Gi\n", [("head", 5, 3)]),
        (HEAD + "  env: {A: x, A: y}\n", [("head.env", 5, 15)]),
        ("head:\n  taskCpus: 1\n  memory: 4Gi\n", [("name", 1, 1)]),
        ("name: c\nhead:\n  taskCpus: 1\n", [("head.memory", 2, 1)]),
        ("name: c\n", [("head", 1, 1)]),
        ("name: c\nhead:\n", [("head", 2, 6)]),
        ("name: c\nhead: 4\n", [("head", 2, 7)]),
        ("name: c\nhead:\n- 4\n", [("head", 3, 1)]),
        (HEAD + "workers: {}\n", [("workers", 5, 10)]),
        (HEAD + "workers: [4]\n", [("head.taskCpus", 3, 13), ("workers[0]", 5, 11)]),
        ("- name: c\n", [("", 1, 1)]),
        ("text\n", [("", 1, 1)]),
        # scalars that YAML 1.1 reads as something else
        (HEAD + "  env: {A: no}\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {A: NO}\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {A: true}\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {no: a}\n", [("head.env", 5, 9)]),
        (HEAD + "  env: {1: a}\n", [("head.env", 5, 9)]),
        (HEAD + "  env: {A: 1}\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {A: 2020-01-01}\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {A: }\n", [("head.env.A", 5, 12)]),
        (HEAD + "  env: {1A: x}\n", [("head.env.1A", 5, 9)]),
        (HEAD + "rayVersion: 2.60\n", [("rayVersion", 5, 13)]),
        (HEAD + "rayVersion: 3.10\n", [("rayVersion", 5, 13)]),
        (HEAD + "rayVersion: '2.60'\n", [("rayVersion", 5, 13)]),
        (HEAD + "image:\n", [("image", 5, 7)]),
        (GROUP + "  replicas: 012\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: 1:30\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: 0x10\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: 1_000\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: '2'\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: 2.0\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: 99999999999999999999\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  replicas: -1\n", [("workers[0].replicas", 7, 13)]),
        (GROUP + "  taskCpus: 0\n", [("workers[0].taskCpus", 7, 13)]),
        (GROUP + "autoscaling: {enabled: yes}\n", [("autoscaling.enabled", 7, 24)]),
        (GROUP + "autoscaling: {enabled: 'true'}\n", [("autoscaling.enabled", 7, 24)]),
        (HEAD + "auth: {mode: open}\n", [("auth.mode", 5, 14)]),
        (HEAD + "auth: token\n", [("auth", 5, 7)]),
        (HEAD + "  cpu: 0.5\n", [("head.cpu", 5, 8)]),
        # names
        (HEAD.replace("name: c", "name: C"), [("name", 1, 7)]),
        (HEAD.replace("name: c", "name: a_b"), [("name", 1, 7)]),
        (HEAD.replace("name: c", "name: 1a"), [("name", 1, 7)]),
        (HEAD.replace("name: c", "name: a-"), [("name", 1, 7)]),
        (HEAD.replace("name: c", "name: ä"), [("name", 1, 7)]),
        (HEAD.replace("name: c", f"name: {'a' * 54}"), [("name", 1, 7)]),
        (HEAD + "namespace: A\n", [("namespace", 5, 12)]),
        (GROUP.replace("- name: w", "- name: headgroup"), [("workers[0].name", 5, 9)]),
        (HEAD + "image: 'a b'\n", [("image", 5, 8)]),
        (HEAD + "  nodeSelector: {a/b/c: d}\n", [("head.nodeSelector.a/b/c", 5, 18)]),
        (HEAD + "  annotations: {a b: c}\n", [("head.annotations.a b", 5, 17)]),
        (
            HEAD + "  topologySpread: [{topologyKey: a b}]\n",
            [("head.topologySpread[0].topologyKey", 5, 34)],
        ),
        (HEAD + "  accelerators: {a.b/c d: 1}\n", [("head.accelerators.a.b/c d", 5, 27)]),
        (
            HEAD + "  volumes: [{name: a, mountPath: //tmp/., claim: c}]\n",
            [("head.volumes[0].mountPath", 5, 34)],
        ),
        (HEAD + "  nodeSelector: {a: b c}\n", [("head.nodeSelector.a", 5, 21)]),
        # several at once, fields and rules that span fields
        (
            "name: C\nhead:\n  taskCpus: 2\n  memory: 4GB\n  env: {RAY_ADDRESS: x}\nfoo: 1\n",
            [
                ("name", 1, 7),
                ("head.memory", 4, 11),
                ("head.env.RAY_ADDRESS", 5, 22),
                ("foo", 6, 1),
            ],
        ),
        (
            GROUP + "  replicas: 3\n  maxReplicas: 2\n  typo: 1\n",
            [("workers[0].replicas", 7, 13), ("workers[0].typo", 9, 3)],
        ),
        # items of the wrong kind, and required fields with a wrong value, beside a broken rule
        (UNFIT + "  volumes: [5]\n", [("head.taskCpus", 2, 1), ("head.volumes[0]", 4, 13)]),
        (
            UNFIT + "  volumes: [{name: v, mountPath: v, claim: c}]\n",
            [("head.taskCpus", 2, 1), ("head.volumes[0].mountPath", 4, 34)],
        ),
        (UNFIT + "  envFrom: [mine]\n", [("head.taskCpus", 2, 1), ("head.envFrom[0]", 4, 13)]),
        (
            UNFIT + "  sidecars: [{name: s}]\n",
            [("head.taskCpus", 2, 1), ("head.sidecars[0].image", 4, 14)],
        ),
        (UNFIT + "jobs: [fib]\n", [("head.taskCpus", 2, 1), ("jobs[0]", 4, 8)]),
        (
            UNFIT + "jobs: [{name: a, job: fib, arguments: [no, 5]}]\n",
            [
                ("head.taskCpus", 2, 1),
                ("jobs[0].arguments[0]", 4, 40),
                ("jobs[0].arguments[1]", 4, 44),
            ],
        ),
        (UNFIT + "pullSecrets: [5]\n", [("head.taskCpus", 2, 1), ("pullSecrets[0]", 4, 15)]),
        (
            UNFIT + "networkPolicy: {enabled: true, apiServer: [no], egress: [10.0.0.0/8]}\n",
            [
                ("head.taskCpus", 2, 1),
                ("networkPolicy.apiServer[0]", 4, 44),
                ("networkPolicy.egress[0]", 4, 58),
            ],
        ),
    ],
)
def test_each_problem_has_its_path_line_and_column(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("---\n...\n", "has no value"),
        (HEAD + "---\nname: d\n", "a second document"),
        (HEAD + "\tenv: {}\n", "line 5:1: is not YAML: a tab stands where YAML wants spaces"),
        (HEAD + "x: @y\n", "line 5:4: is not YAML: found character that cannot start any token"),
        (HEAD + "x: &a [1]\n", "anchor &a"),
        (HEAD + "x: !!python/object/apply:os.system ['true']\n", "tag tag:yaml.org,2002:python"),
        (HEAD + "x: !mine 3\n", "tag !mine"),
        (HEAD + "x: [1, 2\n", "is not YAML"),
        (HEAD + "x: 'open\n", "is not YAML"),
        (HEAD + "x: a: b\n", "is not YAML"),
        (HEAD + "x: \x07\n", "#x0007"),
        ("[" * 100 + "]" * 100, "nested too deeply"),
        ("a" * 300_000, "over 256 KiB"),
        (b"\xff\xfen\x00", "UTF-16"),
        (b"name: \xe9\n", "not UTF-8"),
        (HEAD + "<<: {a: b}\n", "merge keys"),
        (HEAD + "? [a]\n: b\n", "a key must be text"),
    ],
)
def test_what_specs_do_not_use_of_yaml_is_refused(text, words):
    problems = inspect(text).problems
    assert any(words in str(problem) for problem in problems), problems


def test_aliases_are_refused_before_they_can_grow():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
    )
    assert len(inspect(bomb).problems) == 25 + 48


def test_an_annotation_may_have_a_key_in_any_case_and_a_range_be_of_either_family():
    load(HEAD + "  annotations: {Example.com/Key: 'any text'}\n")
    load(POLICY + "[10.0.0.0/8, 'fd00::/8', '2001:db8::1/128']}\n")


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem():
    text = b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode()
    assert load(text) == load(HEAD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "hed: {}\n", 'unknown key; did you mean "head"?'),
        (HEAD + "  MEMORY: 1Gi\n", 'unknown key; did you mean "memory"?'),
        (HEAD + "  xyzzy: 1\n", "unknown key; known here: cpu, cpuLimit"),
        (HEAD + "rayVersion: 3.10\n", 'must be text: quote it, "3.10"'),
        (HEAD + "  env: {A: no}\n", "YAML reads no as false: write false, or quote it"),
        (POLICY + "[10.0.0.1]}\n", "no range of addresses to Kubernetes: 10.0.0.1/32"),
        (POLICY + "[10.0.0.0/255.0.0.0]}\n", "no range of addresses to Kubernetes: 10.0.0.0/8"),
        (POLICY + "[10.0.0.0/08]}\n", "no range of addresses to Kubernetes: 10.0.0.0/8"),
        (GROUP + "  replicas: 012\n", "YAML reads 012 as another number"),
        (GROUP + f"  replicas: {10**18}\n", "has more than 18 digits"),
        (GROUP + "  replicas: '2'\n", "must be a whole number: write 2 without quotes"),
        (HEAD + "auth: {mode: open}\n", "must be token or disabled"),
        (HEAD.replace("4Gi", "4GB"), '"4GB" is not a Kubernetes quantity; did you mean "4Gi"?'),
        (HEAD.replace("name: c", "name: My_Ray"), 'for example "my-ray"'),
        (GROUP + "  replicas: -1\n", "must be greater than or equal to 0"),
    ],
)
def test_messages_say_what_was_meant(text, expected):
    assert expected in message(text)


def test_load_raises_with_every_problem_in_the_order_of_the_file():
    with pytest.raises(SpecError) as raised:
        load("name: C\nhead: {memory: 1GB, taskCpus: 1}\nfoo: 1\n", "my.yaml")
    assert raised.value.exit_code == 3
    assert raised.value.what == "my.yaml: 3 problems"
    assert [line.split(":")[0] for line in raised.value.evidence] == ["line 1", "line 2", "line 3"]
    assert raised.value.next == "raykit validate -f my.yaml"


def test_a_rule_does_not_judge_what_is_wrong_by_itself():
    # sharedMemory would be above any memory that stands in for the wrong one.
    assert found(HEAD.replace("4Gi", "4GB") + "  sharedMemory: 9Gi\n") == [("head.memory", 4, 11)]
    assert found("name: c\nhead: {memory: 4Gi}\nworkers: 3\n") == [("workers", 3, 10)]


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path, name):
    with pytest.raises(UsageError, match="cannot be read"):
        load_file(tmp_path / name)


def test_options_take_the_place_of_what_the_spec_says():
    spec = overridden(load(HEAD), name="d", namespace="n", image="rayproject/ray:2.60.0")
    assert (spec.name, spec.namespace, spec.image) == ("d", "n", "rayproject/ray:2.60.0")
    assert spec.head == load(HEAD).head


def test_options_are_judged_as_the_spec_is():
    with pytest.raises(SpecError) as raised:
        overridden(load(HEAD), name="D", image="rayproject/ray:2.59.0")
    assert [line.split(":")[0] for line in raised.value.evidence] == ["name"]
    with pytest.raises(SpecError, match="1 problem"):
        overridden(load(HEAD), image="rayproject/ray:2.59.0")


def test_replicas_given_as_an_option_raise_the_bound_with_them():
    bounded = load(GROUP + "  maxReplicas: 2\n")
    (group,) = overridden(bounded, replicas=4).workers
    assert (group.replicas, group.max_replicas) == (4, 4)
    (group,) = overridden(bounded, replicas=1).workers
    assert (group.replicas, group.max_replicas) == (1, 2)


def test_replicas_without_a_single_group_are_wrong_usage():
    with pytest.raises(UsageError, match="has 0"):
        overridden(load(HEAD), replicas=4)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_no_text_makes_the_reader_fail(text):
    report = inspect(text)
    assert (report.spec is None) == bool(report.problems)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
keys = st.sampled_from(["name", "head", "memory", "workers", "env", "auth", "replicas", "x", ""])
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(keys, trees))
def test_no_tree_of_values_makes_the_reader_fail(tree):
    report = inspect(yaml.safe_dump(tree))
    assert (report.spec is None) == bool(report.problems)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in report.problems)
