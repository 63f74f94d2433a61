"""The folder that keeps downloads: sealed files only, shared by runs, safe for two writers."""

import errno
import json
import os
import threading
import time

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.sources import cache
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.years import read

QUESTION = Question("TEMP", ">=", 80.0)


def read_cached(origin, folder, year=2020):
    return read(Where(origin.url, str(folder)), year, QUESTION)


def gets(origin):
    return [path for method, path, _ in origin.requests if method == "GET"]


def names(folder):
    return sorted(path.suffix for path in folder.iterdir())


def test_the_second_run_reads_the_sealed_file_and_downloads_nothing(https, tmp_path):
    https.sample(2020)
    first = read_cached(https, tmp_path / "new" / "cache")
    second = read_cached(https, tmp_path / "new" / "cache")
    assert len(gets(https)) == 1
    assert (
        first.counts.archive["source"]["cached"],
        second.counts.archive["source"]["cached"],
    ) == (
        False,
        True,
    )
    assert first.counts.stations == second.counts.stations
    assert first.counts.archive["sha256"] == second.counts.archive["sha256"]


def test_a_seal_says_where_the_file_came_from_and_what_it_is(https, tmp_path):
    https.sample(2020)
    counts = read_cached(https, tmp_path).counts
    (kept,) = tmp_path.glob("2020-*.tar.gz")
    assert kept.read_bytes() == https.files["2020.tar.gz"]
    seal = json.loads((tmp_path / f"{kept.name}.json").read_text())
    assert seal["address"] == f"{https.url}/2020.tar.gz"
    assert (seal["size"], seal["sha256"]) == (kept.stat().st_size, counts.archive["sha256"])


def test_a_newer_version_at_the_source_is_downloaded_beside_the_old_one(https, tmp_path):
    https.sample(2020, 2024)
    read_cached(https, tmp_path)
    https.files["2020.tar.gz"] = https.files["2024.tar.gz"]
    assert not read_cached(https, tmp_path).counts.archive["source"]["cached"]
    assert len(list(tmp_path.glob("2020-*.tar.gz"))) == 2


def test_nothing_is_kept_of_an_archive_that_is_not_whole(https, tmp_path):
    https.files["2020.tar.gz"] = https.sample(2020).files["2020.tar.gz"][:-9]
    with pytest.raises(DataProblem, match="cut short"):
        read_cached(https, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_that_is_resumed_is_kept_whole(https, tmp_path):
    content = https.sample(2020).files["2020.tar.gz"]
    https.faults += [lambda _: False, lambda h: h.serve(content, 9000)]
    read_cached(https, tmp_path)
    (kept,) = tmp_path.glob("2020-*.tar.gz")
    assert kept.read_bytes() == content


@pytest.mark.parametrize("damage", ["shorter", "one bit", "other bytes of the same size"])
def test_a_sealed_file_that_was_damaged_is_named_and_not_counted(https, tmp_path, damage):
    https.sample(2020, 2024)
    read_cached(https, tmp_path)
    (kept,) = tmp_path.glob("2020-*.tar.gz")
    content = bytearray(kept.read_bytes())
    if damage == "shorter":
        del content[-1]
    elif damage == "one bit":
        content[4] ^= 1  # the time in gzip's header, which no checksum covers
    else:
        content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    with pytest.raises(DataProblem) as raised:
        read_cached(https, tmp_path)
    said = " ".join([raised.value.what, *raised.value.evidence])
    assert str(kept) in said
    assert "delete that file and its .json" in said


def test_a_seal_that_cannot_be_read_is_named(https, tmp_path):
    https.sample(2020)
    read_cached(https, tmp_path)
    (seal,) = tmp_path.glob("*.json")
    seal.write_text("{")
    with pytest.raises(DataProblem, match=r"\.json cannot be read"):
        read_cached(https, tmp_path)


def test_a_file_without_its_seal_is_downloaded_again(https, tmp_path):
    https.sample(2020)
    read_cached(https, tmp_path)
    (seal,) = tmp_path.glob("*.json")
    seal.unlink()
    assert not read_cached(https, tmp_path).counts.archive["source"]["cached"]
    assert names(tmp_path) == [".gz", ".json"]


def test_many_writers_at_once_leave_one_sealed_file(https, tmp_path):
    https.sample(2020)
    https.always = lambda _: time.sleep(0.05)
    found = []
    readers = [
        threading.Thread(target=lambda: found.append(read_cached(https, tmp_path)))
        for _ in range(4)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(found) == 4
    assert names(tmp_path) == [".gz", ".json"]
    assert read_cached(https, tmp_path).counts.archive["source"]["cached"]


def test_parts_of_killed_tasks_are_deleted_and_those_of_others_stay(https, tmp_path):
    https.sample(2020)
    old, new = tmp_path / "2019-0.tar.gz.x.part", tmp_path / "2021-0.tar.gz.y.part"
    for part in (old, new):
        part.write_bytes(b"x")
    os.utime(old, (0, time.time() - 2 * cache.ABANDONED_SECONDS))
    read_cached(https, tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("name", ["1980.tar.gz.part", "my-download.iso.part"])
def test_parts_that_are_not_ours_stay_however_old(https, tmp_path, name):
    theirs = tmp_path / name
    theirs.touch()
    os.utime(theirs, (0, 0))
    https.sample(2020)
    read_cached(https, tmp_path)
    assert theirs.exists()


@pytest.mark.parametrize("seal", ["[]", "null", '"x"', "[" * 50_000])
def test_an_odd_seal_is_named(https, tmp_path, seal):
    https.sample(2020)
    read_cached(https, tmp_path)
    (path,) = tmp_path.glob("*.json")
    path.write_text(seal)
    with pytest.raises(DataProblem):
        read_cached(https, tmp_path)


def test_a_pipe_in_the_place_of_a_seal_is_not_waited_for(https, tmp_path):
    https.sample(2020)
    read_cached(https, tmp_path)
    (path,) = tmp_path.glob("*.json")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataProblem):
        read_cached(https, tmp_path)


def test_a_source_without_versions_cannot_be_cached(https, tmp_path):
    https.sample(2020)
    https.always = lambda h: h.serve(h.content(), ETag=None, Last_Modified=None)
    with pytest.raises(DataProblem, match="its source names no version"):
        read_cached(https, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(https, tmp_path):
    https.sample(2020)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataProblem, match="cannot be used on this Ray node"):
        read_cached(https, tmp_path / "file" / "cache")


def test_a_full_disk_is_said_and_leaves_nothing(https, tmp_path, monkeypatch):
    https.sample(2020)

    # A full disk cannot be had without privileges: the write fails as it would on one.
    monkeypatch.setattr(cache.os, "fdopen", full_disk(cache.os.fdopen))
    with pytest.raises(DataProblem) as raised:
        read_cached(https, tmp_path)
    assert "No space left on device" in raised.value.evidence
    assert list(tmp_path.iterdir()) == []


def full_disk(really):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    return lambda *words: Full(really(*words))
