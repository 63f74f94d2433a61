"""A record that anybody may have made is shown, compared and exported, or refused: never a bug."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit.app import picture
from raykit.errors import RaykitError
from raykit.measure.compare import compare
from raykit.measure.records import RunRecord, RunsFolder
from raykit.measure.traces import chrome, otlp
from tests.unit.json_parts import changed, places

DATA = Path(__file__).parents[3] / "data"
SOUND = [*(DATA / "runs").iterdir(), *(DATA / "schemas").iterdir()]


def load(folder):
    return json.loads((folder / "record.json").read_text("utf-8"))


@pytest.mark.parametrize("folder", SOUND, ids=lambda folder: folder.name)
def test_what_raykit_wrote_can_be_read(folder):
    RunsFolder(folder.parent).load(folder.name)


FIB = load(DATA / "runs" / "20261126-100403-fib-a3cb")
PLACES = list(places(FIB))
odd = st.sampled_from(
    [None, True, -1, 0, 1e300, 10**400, "", "x", "\x1b[2J", [], [[]], {}, {"a": {}}, [1, "x"]]
)


@settings(max_examples=300)
@given(st.sampled_from(PLACES), odd)
def test_one_odd_part_is_refused_or_harmless(path, value):
    try:
        record = RunRecord.from_dict(changed(FIB, path, value))
    except ValueError:
        return
    picture.page(record, 80)
    with contextlib.suppress(RaykitError):
        compare([record, RunRecord.from_dict(FIB)], unlike=True)
    json.dump(chrome.trace([record]), io.StringIO(), allow_nan=False)
    json.dump(otlp.traces([record]), io.StringIO(), allow_nan=False)
