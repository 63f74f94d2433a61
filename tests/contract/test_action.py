"""The GitHub action: what it says to raykit, and that no input is ever read as code."""

import re
import sys
from pathlib import Path

import pytest

from tests.composite_action import Action, environment
from tests.programs import write_program

ROOT = Path(__file__).parents[2]
PATH = ROOT / ".github" / "actions" / "bench" / "action.yml"
PAGE = (ROOT / "docs" / "regression-testing.md").read_text("utf-8")


@pytest.fixture
def action(tmp_path):
    return Action(PATH, tmp_path)


@pytest.fixture
def recorder(tmp_path):
    """A program in raykit's place that writes down its words; `recorder.calls()`."""
    path = tmp_path / "recorder"
    log = tmp_path / "calls"
    write_program(
        path,
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"with open({str(log)!r}, 'a') as out:\n"
        "    print(repr((sys.argv[1:], os.environ.get('RAY_AUTH_TOKEN'))), file=out)\n"
        "if sys.argv[1] == 'bench':\n"
        "    print('| a table |')\n"
        "    print('said on stderr', file=sys.stderr)\n"
        "    sys.exit(int(os.environ.get('ENDS_WITH', '0')))\n",
    )

    class Recorder:
        program = str(path)

        def calls(self):
            return [eval(line) for line in log.read_text().splitlines()]

        def bench(self):
            (words,) = [words for words, _ in self.calls() if words[0] == "bench"]
            return words

    return Recorder()


def test_no_input_stands_in_the_text_of_a_script(action):
    for step in action.steps:
        assert "${{" not in step["run"]
        for text in step["env"].values():
            assert re.fullmatch(r"\$\{\{ [\w.-]+ \}\}", text)


def test_every_input_is_used_and_described(action):
    used = set(re.findall(r"inputs\.([\w-]+)", PATH.read_text("utf-8")))
    assert used == set(action.content["inputs"])
    assert all(one["description"] for one in action.content["inputs"].values())


def test_the_page_names_only_inputs_and_outputs_that_there_are(action):
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    assert blocks
    inputs = {name for block in blocks for name in re.findall(r"^ {10}([\w-]+):", block, re.M)}
    uploads = {"name", "path"}
    assert inputs - uploads <= set(action.content["inputs"])
    outputs = set(re.findall(r"steps\.\w+\.outputs\.(\w+)", PAGE))
    assert outputs <= set(action.content["outputs"])
    assert f"/{PATH.parent.relative_to(ROOT)}@" in PAGE


def test_inputs_become_words_of_bench(action, recorder, tmp_path):
    outcome = action.run(
        environment(),
        tmp_path,
        raykit=recorder.program,
        job="fib",
        arguments="--size 20000 --label 'two words'",
        on="one\n\ntwo\n",
        workers="1,2",
        repeat="3",
        fail_if="speedup<1.5\nefficiency<0.6",
        token="a secret",
        yes="true",
    )
    assert outcome.failed == []
    words = recorder.bench()
    assert words[:4] == ["bench", "fib", "--id", outcome.outputs["experiment"]]
    assert words[4:] == [
        *("-o", "markdown", "--repeat", "3", "--warm-up", "1", "--on", "one", "--on", "two"),
        *("--workers", "1,2", "--fail-if", "speedup<1.5", "--fail-if", "efficiency<0.6", "--yes"),
        *("--", "--size", "20000", "--label", "two words"),
    ]
    assert {token for words, token in recorder.calls() if words[0] == "bench"} == {"a secret"}
    assert outcome.summary == "### raykit bench\n\n| a table |\n"
    assert Path(outcome.outputs["markdown"]).read_text() == "| a table |\n"


EVIL = "$(touch evil) `touch evil`; touch evil & touch evil | \"'$(touch evil)'\" ${IFS} * \\"


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("job", None),
        ("on", "--on"),
        ("specs", "--file"),
        ("workers", "--workers"),
        ("repeat", "--repeat"),
        ("warm_up", "--warm-up"),
        ("scaling", "--scaling"),
        ("baseline", "--baseline"),
        ("fail_if", "--fail-if"),
        ("timeout", "--timeout"),
        ("context", "--context"),
        ("namespace", "--namespace"),
    ],
)
def test_no_input_is_read_as_code(action, recorder, tmp_path, name, option):
    inputs = {"job": "fib", "raykit": recorder.program} | {name: EVIL}
    action.run(environment(), tmp_path, **inputs)
    words = recorder.bench()
    assert (words[1] if option is None else words[words.index(option) + 1]) == EVIL
    assert not (tmp_path / "evil").exists()


def test_arguments_are_split_as_words_and_never_read_as_code(action, recorder, tmp_path):
    action.run(
        environment(),
        tmp_path,
        raykit=recorder.program,
        job="fib",
        arguments="'$(touch evil)' $(touch\\ evil) `touch evil` ;touch evil *",
    )
    words = recorder.bench()
    assert words[words.index("--") + 1 :] == [
        *("$(touch evil)", "$(touch evil)", "`touch", "evil`", ";touch", "evil", "*"),
    ]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["kind", "yes", "token"])
def test_a_switch_is_on_for_the_word_true_alone(action, recorder, tmp_path, name):
    action.run(environment(), tmp_path, raykit=recorder.program, job="fib", **{name: EVIL})
    assert not (tmp_path / "evil").exists()
    assert [words[0] for words, _ in recorder.calls()] == ["--version", "bench"]
    assert "--yes" not in recorder.bench()


def test_a_condition_that_holds_fails_the_step_and_the_summary_has_both(action, recorder, tmp_path):
    env = environment(ENDS_WITH="10")
    outcome = action.run(env, tmp_path, raykit=recorder.program, job="fib", kind="true")
    assert outcome.failed == ["bench"]
    assert outcome.summary == (
        "### raykit bench\n\n| a table |\n\nExit code 10:\n\n    said on stderr\n"
    )
    done = [words[:2] for words, _ in recorder.calls()]
    assert done[1] == ["kind", "up"]
    assert done[-1] == ["kind", "down"], "the cluster goes also where a step failed"
