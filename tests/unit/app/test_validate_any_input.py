"""Whatever 64 KiB a file holds, the command `raykit validate` ends with 0 or 3."""

import copy
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.app.main import main

DEPLOY = kit.root() / "deploy"
LONGEST = 64 * 1024
EXAMPLES = 1000 if os.environ.get("RAYKIT_SOAK") else 40
SEEDS = [
    path.read_bytes()
    for folder in ("clusters", "base/cloud", "gitops/jobs", "overlays/prod")
    for path in sorted((DEPLOY / folder).glob("*.yaml"))
]
PIECES = [
    *(
        b"apiVersion: ray.io/v1\n",
        b"kind: RayJob\n",
        b"head:\n",
        b"---\n",
        b"spec: {}\n",
        b"[",
        b"{",
    ),
    *(b"- ", b"? ", b": ", b"&a ", b"*a", b"<<: ", b"!!binary ", b"!!set ", b"'", b'"', b"|\n"),
    *(b"\t", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc2\x85", b"{{ .Values }}", b"0x_", b"1:30"),
    *(b"9" * 400, b"1e999", b".nan", b"%YAML 1.2\n", b"...\n", b"null", b"~", b"#", b"\r"),
    *(b"items: [{apiVersion: ray.io/v1}]\n", b"metadata: {labels: []}\n", b"namespace: {}\n"),
]


@st.composite
def texts(draw):
    """Up to 64 KiB: bytes, pieces over and over, or a file of the kit with pieces in it."""
    data = bytearray(draw(st.sampled_from([b"", *SEEDS]) | st.binary(max_size=200)))
    for piece in draw(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=6)):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 0, 1, 9, 90]))
        times = draw(st.sampled_from([1, 1, 1, 3, LONGEST // len(piece or b"x")]))
        data[at : at + cut] = piece * times
    return bytes(data[:LONGEST])


@pytest.mark.parametrize("format", ["text", "json", "github"])
@settings(suppress_health_check=list(HealthCheck), max_examples=EXAMPLES)
@given(data=texts())
def test_validate_ends_with_0_or_3_whatever_a_file_holds(tmp_path, capsys, format, data):
    path = tmp_path / "any.yaml"
    path.write_bytes(data)
    with pytest.raises(SystemExit) as exited:
        main(["validate", str(path), "-o", format, "--pod-security", "restricted"])
    said = capsys.readouterr()
    assert exited.value.code in {0, 3}
    assert "Traceback" not in said.out + said.err
    (said.out + said.err).encode()


FULL = Path(__file__).parents[1] / "spec" / "full.yaml"
DOCUMENTS = [
    document
    for seed in (FULL.read_bytes(), *SEEDS)
    for document in yaml.safe_load_all(seed)
    if isinstance(document, dict) and document.get("apiVersion", "ray.io/v1") == "ray.io/v1"
]
ODD = [None, True, -1, 1.5, "", "x y", "9" * 40, [], [None], [5], {}, {"a": 1}, [{"name": 5}]]


def paths(value, path=()):
    """The path of every value within a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


@st.composite
def documents(draw):
    """A spec or a manifest with one to three values of another kind."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(list(paths(document))))
        holder = document
        for key in above:
            holder = holder[key]
        holder[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return document


@settings(suppress_health_check=list(HealthCheck), max_examples=3 * EXAMPLES)
@given(document=documents())
def test_validate_ends_with_0_or_3_whatever_kind_a_value_has(tmp_path, document):
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SystemExit) as exited:
        main(["validate", str(path), "--pod-security", "restricted"])
    assert exited.value.code in {0, 3}
