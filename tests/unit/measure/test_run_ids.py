"""Names of runs: what they look like, which are safe as folders, and which run a word names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.measure import run_ids

START = 1795477369.0
IDS = ["20261123-234249-fib-aaaa", "20261123-234250-fib-bbbb", "20261124-010000-gsod-cccc"]


def find(word, ids=IDS, submissions=None):
    return run_ids.find(word, ids, (submissions or {}).get)


def test_an_id_has_the_utc_start_the_jobs_name_and_the_mark():
    assert run_ids.new("fib", START, "dce3") == "20261123-234249-fib-dce3"


@pytest.mark.parametrize(
    ("job", "id"),
    [
        ("my job.py", "my-job-py"),
        ("", "job"),
        ("--", "job"),
        ("wetter-ö", "wetter"),
        ("x" * 99, "x" * 40),
    ],
)
def test_a_job_of_any_name_gives_a_plain_id(job, id):
    assert run_ids.new(job, START, "dce3") == f"20261123-234249-{id}-dce3"


@given(st.text(max_size=300))
def test_every_id_is_a_plain_name_and_tells_its_start(job):
    run_id = run_ids.new(job, START, "dce3")
    assert run_ids.is_plain(run_id)
    assert run_ids.started(run_id) == START


@pytest.mark.parametrize("name", ["raysubmit_1", "20269999-999999-fib-dce3", "20261123", ""])
def test_a_name_without_a_time_tells_no_start(name):
    assert run_ids.started(name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", "a/b", "a\\b", "a b", "a\n", "ä", "x" * 129]
)
def test_a_name_that_is_no_single_folder_is_not_plain(name):
    assert not run_ids.is_plain(name)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("last", IDS[2]),
        ("last~1", IDS[1]),
        ("last~3", None),
        (IDS[0], IDS[0]),
        ("20261124", IDS[2]),
        ("2026", UsageError),
        ("202", None),
        ("20261125", None),
    ],
)
def test_a_word_names_the_newest_an_id_or_the_only_one_that_begins_so(word, found):
    if found is UsageError:
        with pytest.raises(UsageError) as refused:
            find(word)
        assert refused.value.evidence == tuple(IDS)
    else:
        assert find(word) == found


def test_a_submission_id_names_its_newest_run():
    assert find("mine", submissions={IDS[0]: "mine", IDS[1]: "mine"}) == IDS[1]
    assert find("mi-n", submissions={IDS[0]: "mi-ne"}) == IDS[0]


def test_a_beginning_that_several_runs_of_one_submission_share_names_the_newest():
    assert find("nightly", submissions={IDS[0]: "nightly-1", IDS[1]: "nightly-1"}) == IDS[1]
