"""A folder of archives: which years it has, and whether they are whole."""

import hashlib
import json
import shlex

import pytest

from raykit.archives import fetch as fetching
from raykit.archives.store import Store, whole_archive, years
from raykit.errors import MissingError, UsageError
from tests.unit.archives.noaa import SAMPLE, WHOLE, fetched


def read(path, _year):
    return whole_archive(path)


def test_a_half_written_file_is_never_taken_for_a_whole_one(store, server):
    server.plan = [{"cut": 1000 + 100 * step} for step in range(fetching.ATTEMPTS)]
    (found,) = fetched(store, server)
    assert isinstance(found.error, MissingError)
    assert not store.archive(2020).exists()
    assert [entry.state for entry in store.entries()] == ["partial"]
    assert fetched(store, server)[0].error is None
    assert store.archive(2020).read_bytes() == WHOLE


def test_verify_tells_missing_changed_and_whole_apart(store, server):
    fetched(store, server, 2020, 2021, parallel=2)
    store.archive(2021).write_bytes(SAMPLE.with_name("2024.tar.gz").read_bytes())
    found = dict(store.verify([2019, 2020, 2021], read))
    assert found[2020] is None
    assert "is missing" in found[2019].what
    assert "not what was fetched" in found[2021].what


def test_every_sample_archive_is_whole():
    for path in SAMPLE.parent.glob("*.tar.gz"):
        assert whole_archive(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_years_are_words_and_ranges_each_once():
    assert years(["1980", "2020", "1979..1981"]) == [1979, 1980, 1981, 2020]


@pytest.mark.parametrize("word", ["80", "1928", "2026", "1990..1980", "1980-1990", "x"])
def test_what_is_no_year_of_gsod_is_refused(word):
    with pytest.raises(UsageError) as refused:
        years(["2020", word])
    assert refused.value.evidence == (word,)


def test_odd_files_of_the_folder_break_nothing(store):
    store.make()
    (store.folder / "2001.tar.gz").symlink_to("nowhere")
    (store.folder / "2002.tar.gz").mkdir()
    (store.folder / "2003.tar.gz").write_bytes(WHOLE)
    (store.folder / "2003.tar.gz.json").write_text("[" * 100_000)
    (store.folder / "2004.tar.gz").write_bytes(b"")
    seal = {
        "year": 2004,
        "url": "",
        "size": 0,
        "sha256": 3,
        "etag": None,
        "last_modified": None,
        "fetched": 0,
    }
    (store.folder / "2004.tar.gz.json").write_text(json.dumps(seal))
    (store.folder / "２００５.tar.gz").touch()
    assert [(entry.year, entry.state) for entry in store.entries()] == [
        (2001, "unreadable"),
        (2002, "unsealed"),
        (2003, "unsealed"),
        (2004, "unsealed"),
    ]
    wrong = {year for year, error in store.verify([], read) if error}
    assert wrong == {2001, 2002, 2004}


def test_commands_that_are_named_can_be_pasted(tmp_path):
    store = Store(tmp_path / "my data")
    ((_, error),) = store.verify([2020], read)
    assert shlex.split(error.next)[-1] == str(tmp_path / "my data")
