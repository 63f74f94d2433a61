"""Fields that a CRD does not have are all named."""

import pytest

from raykit.kuberay.checks import definitions

SCHEMA = {
    "properties": {
        "head": {"properties": {"image": {"type": "string"}}},
        "groups": {"items": {"properties": {"name": {}}}},
        "labels": {"additionalProperties": {"type": "string"}},
        "open": {"x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {}}},
    }
}


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({"head": {"image": "i"}}, []),
        ({"head": {"imag": "i"}, "tail": 1}, [".head.imag", ".tail"]),
        ({"groups": [{"name": "a"}, {"nam": "b"}]}, [".groups[].nam"]),
        ({"labels": {"any": "thing"}, "open": {"b": 1}}, []),
        ({"head": None, "groups": "wrong"}, []),
    ],
)
def test_unknown_fields_are_found_at_every_depth(value, paths):
    assert list(definitions.unknown(value, SCHEMA)) == paths
