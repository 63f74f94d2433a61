"""Whatever a spec's file holds, `validate` ends with 0 or 3, and says where in a line that fits."""

import contextlib
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.errors import SpecError, UsageError
from raykit.manifests.judging import checking
from raykit.spec import document
from raykit.spec.load import load, load_file, overridden

SPECS = [path.read_bytes() for path in sorted((kit.root() / "deploy" / "clusters").glob("*.yaml"))]
HEAD = "name: c\nhead:\n  taskCpus: 2\n  memory: 4Gi\n"
GROUP = "name: c\nhead:\n  memory: 2Gi\nworkers:\n- name: w\n  memory: 1Gi\n"
LONGEST_LINE = 700
ODD = [
    *(b"1e999", b"-1e-999", b"9" * 5000, b"0x" + b"f" * 100, b".inf", b".nan", b"[]", b"{}"),
    *(b"? ", b"- ", b"&a ", b"*a", b"!!int ", b"!!timestamp 1", b"!!binary x", b"\x00", b"\xff"),
    *(b"\xed\xa0\x80", b"%YAML 1.1\n---\n", b"---\n", b"...\n", b"|\n", b'"\\ud800"', b'"\\0"'),
    *(b'"\\U99999999"', b"0b_", b"1__", b"190:20:30", b"2001-99-99", b"=", b"<<", b"~", b"\t"),
    *(b"[" * 30, b"{a: " * 30, b"k" * 2000, b"\xc2\x85", b"\xe2\x80\xa8", b"\r", b"#", b": "),
]


@pytest.fixture(params=["libyaml", "python"])
def loader(request, monkeypatch):
    """Both of PyYAML's readers: libyaml's is not in every installation."""
    if request.param == "python":
        monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)


def judge(data):
    """Check a spec; anything but a verdict or a SpecError fails the test."""
    for line in problems(data):
        assert 0 < len(line) <= LONGEST_LINE
        line.encode()


def problems(data):
    """What is wrong with a spec, line by line."""
    try:
        loaded = load(data)
    except SpecError as wrong:
        return wrong.evidence or [""]
    json.dumps(loaded.model_dump(mode="json"), allow_nan=False)
    return [str(each) for each in checking.judge(loaded, loaded.kuberay).problems]


@st.composite
def mutated(draw):
    """A spec of the kit with a few pieces put in, taken out or written over."""
    data = bytearray(draw(st.sampled_from(SPECS)))
    for _ in range(draw(st.integers(1, 5))):
        begin = draw(st.integers(0, len(data)))
        end = begin + draw(st.sampled_from([0, 0, 1, 4, 20]))
        data[begin:end] = draw(st.sampled_from(ODD) | st.binary(max_size=6))
    return bytes(data)


ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ANY
@given(st.binary(max_size=300) | st.text(max_size=300) | mutated())
def test_any_bytes_are_a_spec_or_a_list_of_problems(loader, data):
    judge(data)


@pytest.mark.parametrize(
    "data",
    [
        *("[" * 65_000, "{" * 65_000, "- " * 30_000, "? " * 30_000, "a: " * 20_000, "&a " * 20_000),
        HEAD + "x: " + "9" * 60_000,
        HEAD + "  env: {A: '" + "x" * 60_000 + "'}\n",
        HEAD + "k" * 60_000 + ": 1\n",
        HEAD.replace("4Gi", "9" * 4_000),
        HEAD.replace("4Gi", "'" + "9" * 60_000 + "'"),
        HEAD + "workers:\n" + "- {name: w, memory: 1Gi}\n" * 2_000,
        b"\x00" * 65_536,
        b"\xff" * 65_536,
    ],
)
def test_64_kib_of_anything_are_judged_too(data):
    judge(data)


@ANY
@given(
    st.sampled_from(["memory", "cpu", "cpuLimit", "sharedMemory", "tmpStorage", "taskCpus"]),
    st.from_regex(r"[-+.0-9eEKMGTPin]{1,12}", fullmatch=True) | st.integers().map(str),
)
def test_no_number_of_a_spec_breaks_a_rule(key, number):
    lines = [line for line in HEAD.splitlines() if not line.startswith(f"  {key}:")]
    judge("\n".join([*lines, f"  {key}: {number}", ""]))
    judge("\n".join([*lines, f"  {key}: '{number}'", ""]))


@ANY
@given(
    st.sampled_from(["taskCpus", "replicas", "minReplicas", "maxReplicas"]),
    st.integers() | st.floats() | st.text(max_size=8),
)
def test_no_count_of_a_group_breaks_a_rule(key, value):
    judge(GROUP + f"  {key}: {value}\n")


@ANY
@given(st.text(max_size=20), st.integers())
def test_no_option_breaks_a_rule(text, replicas):
    spec = load_file(Path(kit.root()) / "deploy" / "clusters" / "multi-node.yaml")
    for options in ({"name": text}, {"namespace": text}, {"image": text}, {"replicas": replicas}):
        with contextlib.suppress(SpecError, UsageError):
            overridden(spec, **options)


def test_an_option_that_is_not_utf_8_is_refused():
    spec = load_file(Path(kit.root()) / "deploy" / "clusters" / "multi-node.yaml")
    for option in ("name", "namespace", "image"):
        with pytest.raises(SpecError):
            overridden(spec, **{option: "a\udcff"})


def test_a_file_that_never_ends_is_refused():
    with pytest.raises(SpecError, match="1 problem"):
        load_file(Path("/dev/zero"))
