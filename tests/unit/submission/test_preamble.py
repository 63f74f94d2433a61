"""Ray's own lines are taken out of what is shown, wherever they come and however they are cut."""

import random

import pytest

from raykit.submission.preamble import Preamble

SETTING_UP = b"2026-11-24 01:18:37,913\tINFO job_manager.py:581 -- Runtime env is setting up.\n"
WORDS = ["sh", "-c", "echo ran;\nsleep 1"]
LINE = b"Running entrypoint for job job-1: sh -c 'echo ran;\nsleep 1'\n"


def shown(data, cuts, words=WORDS):
    preamble, out, last = Preamble("job-1", words), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        out += preamble.feed(data[last:cut])
        last = cut
    return out + preamble.end()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (SETTING_UP + LINE + b"hello\n", b"hello\n"),
        (LINE + b"hello\n", b"hello\n"),
        (SETTING_UP + b"ran\n" + LINE + b"more", b"ran\nmore"),
        (b"ran without an end" + LINE, b"ran without an end"),
        (LINE + LINE, LINE),
        (b"hello\n" + SETTING_UP, b"hello\n" + SETTING_UP),
        (b"2026-11-24 is a date\n", b"2026-11-24 is a date\n"),
        (b"2026", b"2026"),
        (b"Running entrypoint for job", b"Running entrypoint for job"),
        (b"Running entrypoint for job job-2: x\n", b"Running entrypoint for job job-2: x\n"),
        (b"R" * 500, b"R" * 500),
    ],
)
def test_rays_lines_go_once_and_the_users_stay(data, expected):
    chance = random.Random(len(data))
    for _ in range(20):
        cuts = [chance.randrange(len(data) + 1) for _ in range(chance.randrange(6))]
        assert shown(data, cuts) == expected, cuts
    assert shown(data, range(len(data))) == expected


def test_a_command_that_others_gave_as_one_text_is_known_unquoted():
    data = b"Running entrypoint for job job-1: echo $HOME; sleep 1\nhello\n"
    assert shown(data, [], ["echo $HOME; sleep 1"]) == b"hello\n"


def test_a_long_line_is_not_held_back():
    preamble = Preamble("job-1", WORDS)
    given = sum(len(preamble.feed(b"x" * 65536)) for _ in range(100))
    assert given == 100 * 65536
