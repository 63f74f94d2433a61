"""Each promise of SECURITY.md names a test, and each test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+(?:\.py)?/?)(?:::(\w+))?`", PAGE)))


def test_there_are_promises():
    assert len(NAMED) > 15


def test_each_promise_and_each_secret_names_a_test():
    promises = PAGE.partition("\n## Other users")[2].partition("\n## Not protected")[0]
    items = re.findall(r"^(?:- |\| (?!secret )\w).*(?:\n  .*)*", promises, re.M)
    assert len(items) > 18
    assert [item for item in items if "`tests/" not in item] == []


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part.rsplit("/", 1)[-1] or "all")
def test_the_test_of_a_promise_exists(path, name):
    place = ROOT / path
    if not name:
        files = [place] if place.is_file() else list(place.rglob("test_*.py"))
        assert any("def test_" in file.read_text("utf-8") for file in files)
        return
    assert re.search(rf"^def {name}\(", place.read_text("utf-8"), re.MULTILINE)
