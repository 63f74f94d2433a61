"""Whatever the files of a run or an experiment hold, no command that reads them ends in exit 1.

Property-based: a part of a real record is replaced by a value that no raykit writes there, or is
gone, and a command reads it. `tests/unit/measure/keeping/test_shapes.py` does the same below the
commands.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit.errors import EXIT_CODES
from raykit.measure.experiment import experiments
from raykit.measure.records import RunsFolder
from tests import measured
from tests.unit.app.test_odd_input import run
from tests.unit.json_parts import GONE, changed, places

RUN, OTHER = "20261126-100403-fib-a3cb", "20261126-100404-fib-b4dc"
EXPERIMENT = "an-experiment"
SAMPLE = Path(__file__).parents[2] / "data" / "runs" / RUN / "record.json"
NOBODY = "http://127.0.0.1:1"
EXAMPLES = 1000 if os.environ.get("RAYKIT_SOAK") else 80
DEEP = json.loads("[" * 400 + "]" * 400)
ODD = [
    *(GONE, None, True, -1, 0, 5e-324, 1e300, 10**14, 10**300, "", "x", "\ud800", "\x1b[2J\n\0"),
    *("../../x", "a" * 5000, [], [[]], [None], [1, "x"], {}, {"a": {}}, {"\ud800": None}, DEEP),
]

OF_A_RUN = [
    ["runs"],
    ["runs", "-o", "json"],
    ["runs", "show", RUN],
    ["runs", "show", RUN, "-o", "json"],
    ["runs", "export", RUN, "--as", "trace"],
    ["runs", "export", RUN, "--as", "otlp"],
    ["runs", "export", "--all", "--output-file", "all.tar.gz"],
    ["runs", "prune", "--keep", "0", "--dry-run"],
    ["compare", RUN, OTHER, "--unlike"],
    ["compare", OTHER, RUN, "--unlike", "-o", "json"],
    ["report", RUN, "--output", "report.html"],
    ["attach", RUN],
    ["logs", RUN],
]
READ_WHOLE = [
    *(["runs"], ["runs", "show", RUN], ["runs", "show", RUN, "--log"], ["attach", RUN]),
    *(["runs", "export", "--all", "--output-file", "all.tar.gz"], ["compare", RUN, OTHER]),
]
OF_AN_EXPERIMENT = [
    ["compare", EXPERIMENT],
    ["compare", EXPERIMENT, "-o", "json", "--price", "1"],
    ["compare", EXPERIMENT, "-o", "csv"],
    ["report", EXPERIMENT, "--output", "report.html"],
    ["runs", "export", EXPERIMENT, "--output-file", "experiment.tar.gz"],
    ["runs", "prune", "--keep", "0", "--experiments", "--dry-run"],
]


def rich():
    """A run on Kubernetes that a raykit could have written, with something in every field."""
    record = json.loads(SAMPLE.read_text("utf-8"))
    lost = {"time": record["started"] + 9, "why": "it died", "lost": True}
    phase = {"name": "head-ready", "start": 1.0, "seconds": 2.0, "resolution": 1.0}
    pod = {"name": "p", "role": "head", "group": None, "image": "i", "image_digest": None}
    record["tasks"] |= {"ended": {"head 127.0.0.1": lost}, "came": {"head 127.0.0.1": 1.0}}
    record["start"]["machine"] |= {"platform": "Linux", "memory_bytes": 1 << 33}
    return record | {
        "target": {"kind": "raycluster", "chosen": "so", "cluster": "x", "namespace": "n"},
        "cluster": {
            "name": "x",
            "machines": 1,
            "nodes": [{"name": "n", "boot_id": "b", "cpu": "2"}],
            "pods": [{**pod, "requests": {"cpu": "1"}, "limits": {"cpu": "2"}}],
            "bring_up": [{**phase, "source": "kubernetes", "clock": "wall"}],
        },
        "errors": [{"cause": "data", "message": "m", "evidence": ["e"], "next": "n"}],
        "clock": {"offset_seconds": 1.0, "uncertainty_seconds": 0.1, "corrected": True},
        "notes": ["n"],
    }


def unfinished():
    """A run whose end raykit did not see, so that its head is asked."""
    target = {"kind": "url", "url": NOBODY, "chosen": "so", "folder": "/nowhere"}
    more = {"status": "UNFINISHED", "ended": None, "exit_code": None, "log": {"source": "partial"}}
    return json.loads(SAMPLE.read_text("utf-8")) | {"target": target} | more


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with two runs and an experiment, away from all clusters and heads."""
    folder = tmp_path_factory.mktemp("records")
    runs = RunsFolder(folder / "runs")
    made, records = measured.experiment(
        {name: [2.0 / p, 2.1 / p] for name, p in (("one", 1), ("two", 2), ("four", 4))},
        id_=EXPERIMENT,
    )
    experiments.write(runs, made)
    for record in records.values():
        runs.write(record)
    write(runs.folder(OTHER), json.loads(SAMPLE.read_text("utf-8")) | {"id": OTHER})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("signal.signal", lambda *_: None)
        patch.setattr(sys, "excepthook", sys.excepthook)
        for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            patch.setenv(name, str(folder))
        patch.setenv("KUBECONFIG", str(folder / "none"))
        patch.setenv("RAYKIT_RUNS", str(runs.path))
        patch.delenv("RAYKIT_ON", raising=False)
        yield runs


def write(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(data, indent=2) + "\n", "utf-8")


BASES = [rich(), unfinished()]
RUN_PLACES = [(base, path) for base in BASES for path in places(base, most=2)]


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(RUN_PLACES), st.sampled_from(ODD), st.sampled_from(OF_A_RUN))
def test_no_part_of_a_record_is_a_bug(world, place, value, words):
    write(world.folder(RUN), changed(*place, value))
    code, _, err = run(words)
    assert code in set(EXIT_CODES) - {1}
    assert not set(err) & set(map(chr, range(0x20))) - {"\n", "\t"}


@settings(max_examples=EXAMPLES // 2)
@given(data=st.data(), value=st.sampled_from(ODD), words=st.sampled_from(OF_AN_EXPERIMENT))
def test_no_part_of_an_experiment_is_a_bug(world, data, value, words):
    path = world.folder(EXPERIMENT) / experiments.FILE
    whole = path.read_text("utf-8")
    try:
        content = json.loads(whole)
        place = data.draw(st.sampled_from(list(places(content, most=2))))
        path.write_text(json.dumps(changed(content, place, value)), "utf-8")
        assert run(words)[0] in set(EXIT_CODES) - {1}
    finally:
        path.write_text(whole, "utf-8")


@pytest.mark.parametrize("base", BASES, ids=["rich", "unfinished"])
def test_what_is_changed_can_be_read_as_it_is(world, base):
    write(world.folder(RUN), base)
    assert [run(words)[0] for words in OF_A_RUN[:7]] == [0] * 7


def test_what_is_changed_of_an_experiment_can_be_read_as_it_is(world):
    assert [run(words)[0] for words in OF_AN_EXPERIMENT] == [0] * len(OF_AN_EXPERIMENT)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("phases", 1, "seconds"), "x", "phases[1].seconds is not a time or length in seconds"),
        (("tasks", "lanes", 0, "intervals", 0), None, "tasks.lanes[0].intervals is not a list of"),
        (("spans", 0), [], "spans[0] is not a span line of a job: '[]'"),
        (("versions", "ray"), {}, "versions.ray is not a text: '{}'"),
        (("started",), GONE, "started is missing"),
        (("results", 0, "data"), DEEP, "it is nested more than"),
        (("id",), "../../x", "id is not the name of a run: '../../x'"),
    ],
)  # fmt: skip
def test_the_error_names_the_file_and_the_field(world, path, value, problem):
    write(world.folder(RUN), changed(BASES[0], path, value))
    code, _, err = run(["runs", "show", RUN])
    lines = err.splitlines()
    assert code == 7
    assert lines[0] == f"error: the run record {world.folder(RUN) / 'record.json'} cannot be read"
    assert lines[1].strip().startswith(problem)


@pytest.mark.parametrize("name", ["record.json", "driver.log"])
@pytest.mark.parametrize("kind", ["device", "pipe", "bytes"])
def test_what_lies_in_the_place_of_a_file_is_not_read_for_ever(world, name, kind):
    shutil.rmtree(world.folder(RUN), ignore_errors=True)
    write(world.folder(RUN), BASES[0])
    path = world.folder(RUN) / name
    path.unlink(missing_ok=True)
    match kind:
        case "device":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "bytes":
            path.write_bytes(b"\xff\xfe\0{")
    codes = [run(words)[0] for words in READ_WHOLE]
    shutil.rmtree(world.folder(RUN))
    assert not {1} & set(codes)
