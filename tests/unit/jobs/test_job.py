"""What every job does in the same way: whole numbers, usage errors, causes."""

import json
from argparse import Namespace

import pytest

from jobs import job


def events(out):
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "1_0", "\u0661", " 7", "8", "9" * 5000])
def test_what_is_no_whole_number_in_the_range_is_none(text):
    assert job.whole_number(text, 1, 7) is None


def test_counts_become_numbers_and_what_was_not_given_stays_so():
    options = Namespace(size="3", tasks=None, rows="x", folds="11")
    problems = job.read_counts(options, {"size": 10, "tasks": 10, "rows": 10, "folds": 10})
    assert (options.size, options.tasks) == (3, None)
    assert problems == [
        "argument --rows: 'x' is not a whole number from 1 to 10",
        "argument --folds: '11' is not a whole number from 1 to 10",
    ]


def test_one_wrong_option_is_one_event_with_the_cause_usage_and_status_2(capfd):
    parser = job.OptionParser("demo")
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--colour", "red"])
    out, err = capfd.readouterr()
    assert ended.value.code == 2
    assert [(e["event"], e["cause"], e["evidence"]) for e in events(out)] == [
        ("error", "usage", [])
    ]
    assert err == (
        "error: unrecognized arguments: --colour red\nnext: raykit submit demo -- --help\n"
    )


def test_several_wrong_options_are_one_event_with_each_of_them(capfd):
    with pytest.raises(SystemExit):
        job.OptionParser("demo").refuse(["no size", "no rows"])
    out, err = capfd.readouterr()
    (event,) = events(out)
    assert (event["message"], event["evidence"]) == (
        "2 options cannot be used",
        ["no size", "no rows"],
    )
    assert err.splitlines()[:3] == ["error: 2 options cannot be used", "  no size", "  no rows"]


def test_a_failure_says_its_cause_to_programs_and_to_people(capfd):
    assert job.fail(5, "ray", "Ray gave up", "a line of evidence") == 5
    out, err = capfd.readouterr()
    (event,) = events(out)
    assert (event["cause"], event["evidence"]) == ("ray", ["a line of evidence"])
    assert err == "error: Ray gave up\n  a line of evidence\n"
