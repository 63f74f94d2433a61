"""The walk on a laptop: every command of docs/tutorial.md before the cluster, in one folder."""

import shlex
import signal

import pytest

from tests.walk import steps

pytestmark = pytest.mark.local
TOO_LONG = "--break-even"
"""A search takes minutes: the test asks only what it would run."""


def test_the_walk_on_a_laptop_goes_as_the_page_shows(cli, soon):
    walked = steps(on_kubernetes=False)
    assert len(walked) > 10
    for step in walked:
        program, *words = shlex.split(step.command)
        if program == "pip":
            continue  # the tests' environment has what it installs
        assert program == "raykit", step.command
        if words[0] == "dashboard":
            _dashboard(cli, words, soon)
            continue
        if TOO_LONG in words:
            at = words.index("--") if "--" in words else len(words)
            words.insert(at, "--dry-run")
        done = cli(*words, timeout=900)
        assert done.code == 0, f"{step.command}\n{done.out}\n{done.err}"
        if TOO_LONG not in words:
            assert step.lacks(done.out + done.err) == [], step.command


def _dashboard(cli, words, soon):
    """Open it, see that it printed its address, and leave it as a reader does."""
    out = cli.cwd / "address"
    with out.open("wb") as stream:
        child = cli.start(*words, stdout=stream)
        soon(lambda: out.read_text().startswith("http://"))
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=240)
    assert child.returncode == 0
