"""The schema for editors says what `validate` says, and `explain` knows every field."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.errors import UsageError
from raykit.spec import reference
from raykit.spec.load import inspect
from raykit.spec.model import ClusterSpec

COMMITTED = Path(kit.root()) / "deploy" / "spec.schema.json"
CLUSTERS = Path(kit.root()) / "deploy" / "clusters"
FULL = Path(__file__).with_name("full.yaml")
VALIDATOR = jsonschema.Draft202012Validator(reference.json_schema())
PLAIN = {"name": "c", "head": {"taskCpus": 1, "memory": "2Gi"}}


def test_the_schema_is_a_schema_and_is_the_one_that_is_committed():
    jsonschema.Draft202012Validator.check_schema(reference.json_schema())
    assert reference.schema_text() == COMMITTED.read_text("utf-8"), "run make render"


@pytest.mark.parametrize("path", [*sorted(CLUSTERS.glob("*.yaml")), FULL], ids=lambda p: p.stem)
def test_a_valid_spec_is_valid_for_the_editor(path):
    assert list(VALIDATOR.iter_errors(yaml.safe_load(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("path", sorted(CLUSTERS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shape_names_its_schema_for_the_editor(path):
    first = path.read_text("utf-8").splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == COMMITTED.resolve()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Upper"},
        {"name": "c" * 54},
        {"namespace": "-a"},
        {"rayVersion": 2.6},
        {"rayVersion": "2.60"},
        {"kuberay": "1.5.0"},
        {"upgrade": "Rolling"},
        {"wokers": []},
        {"head": {"memory": "2GB"}},
        {"head": {"memory": "-1"}},
        {"head": {"memory": None}},
        {"head": {}},
        {"head": {"memory": "2Gi", "gpu": 0}},
        {"head": {"memory": "2Gi", "env": {"A B": "1"}}},
        {"head": {"memory": "2Gi", "env": {"A": 1}}},
        {"head": {"memory": "2Gi", "tolerations": [{"operator": "Equals"}]}},
        {"workers": [{"name": "headgroup", "memory": "1Gi"}]},
        {"workers": [{"memory": "1Gi"}]},
        {"jobs": [{"name": "a" * 21, "job": "fib"}]},
        {"monitoring": {"enabled": True, "interval": "ten"}},
        {"pullSecrets": ["A"]},
    ],
    ids=str,
)
def test_the_editor_refuses_what_validate_refuses(change):
    spec = {**PLAIN, **change}
    assert inspect(yaml.safe_dump(spec)).problems
    assert not VALIDATOR.is_valid(spec)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["name", "namespace", "rayVersion", "image", "queue"]),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=60),
)
@example("rayVersion", "image")
def test_editor_and_validate_agree_on_texts(key, text):
    spec = {**PLAIN, key: text}
    wrong = [each for each in inspect(yaml.safe_dump(spec)).problems if each.path == (key,)]
    said = [(each, each.message.replace(f'"{text}"', "")) for each in wrong]
    by_rule = [each for each, words in said if "image" in words and "Ray" in words]
    assert VALIDATOR.is_valid(spec) == (not wrong or wrong == by_rule)


def every_path(model=ClusterSpec, path=""):
    for entry in reference.entries(model):
        here = f"{path}.{entry.name}" if path else entry.name
        yield here
        if entry.holds:
            yield from every_path(entry.holds, here)


def test_every_field_can_be_explained():
    for path in every_path():
        entry, _ = reference.explain(path)
        assert entry.description, path
        assert entry.kind, path


@pytest.mark.parametrize("path", ["head.memory", "head.cpu", "head.volumes.scratch"])
def test_a_quantity_is_called_one_whether_it_is_required_or_not(path):
    assert reference.explain(path)[0].kind == reference.QUANTITY


def test_a_path_of_validate_can_be_explained():
    entry, below = reference.explain("workers[0].volumes[1]")
    assert entry.name == "volumes"
    assert [each.name for each in below][:2] == ["name", "mountPath"]


@pytest.mark.parametrize(
    ("path", "said"), [("wokers", "workers"), ("head.memroy", "memory"), ("name.x", "no fields")]
)
def test_a_field_that_is_not_there_names_the_nearest(path, said):
    with pytest.raises(UsageError) as refused:
        reference.explain(path)
    assert said in " ".join([refused.value.what, *refused.value.evidence])
