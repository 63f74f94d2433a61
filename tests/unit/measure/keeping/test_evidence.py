"""An archive of evidence: what goes in, what is cut, what is hidden, and what is refused."""

import gzip
import io
import json
import sys
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit import redaction
from raykit.measure.keeping import evidence, tails
from raykit.measure.keeping.evidence import Collected, Collection
from raykit.measure.keeping.plain_tar import BadArchiveError

BEGUN = Collected("20261126-150000-one-aaaa", 1.5e9, "a test", 0.5, {"kind": "local"})


def collection():
    return Collection(time.monotonic() + 60)


def closed(into):
    out = io.BytesIO()
    return into.close(out, BEGUN), out.getvalue()


def test_what_is_gathered_is_read_again():
    into = collection()
    into.add_json("ray/nodes.json", [{"node_id": "ab"}])
    into.add_log("pods/one/ray-head.log", b"line\n", "the last 5 bytes")
    into.add_job("job-1")
    into.miss("pods: forbidden")
    collected, data = closed(into)
    assert evidence.read_index(io.BytesIO(data)) == collected
    assert [file["name"] for file in collected.files] == ["pods/one/ray-head.log", "ray/nodes.json"]
    assert collected.cut == [{"name": "pods/one/ray-head.log", "why": "the last 5 bytes"}]
    assert (collected.jobs, collected.missing) == (["job-1"], ["pods: forbidden"])
    assert evidence.read_file(io.BytesIO(data), "pods/one/ray-head.log") == b"line\n"
    assert json.loads(evidence.read_file(io.BytesIO(data), "ray/nodes.json")) == [{"node_id": "ab"}]
    assert evidence.read_file(io.BytesIO(data), "ray/absent.json") is None


def test_python_and_gnu_tar_see_plain_files_below_one_folder():
    into = collection()
    into.add_log("nodes/head/raylet.out", b"up\n")
    _, data = closed(into)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == [
        "raykit-evidence/collected.json",
        "raykit-evidence/nodes/head/raylet.out",
    ]
    assert all(member.isreg() and member.mode == 0o644 for member in members)


def test_a_secret_that_is_learned_last_is_gone_from_what_came_first():
    into = collection()
    secret = "s3cret-of-this-test\xe9"
    into.add_log("pods/one/ray-head.log", f"\xff{secret}".encode() + b"\xff\n")
    into.add_json("ray/jobs.json", {"message": f"took {secret}", "count": 12345678})
    into.miss(f"the head: refused {secret}")
    redaction.learn(secret, "12345678")
    _, data = closed(into)
    whole = gzip.decompress(data)
    assert secret.encode() not in whole
    assert whole.count(b"[redacted]") == 3
    jobs = json.loads(evidence.read_file(io.BytesIO(data), "ray/jobs.json"))
    assert jobs["count"] == 12345678, "a number is no text: the JSON must stay JSON"


def test_what_is_too_large_is_left_out_by_name_and_the_rest_is_kept(monkeypatch):
    monkeypatch.setattr(evidence, "MOST_BYTES", 1000)
    into = collection()
    into.add_log("nodes/head/a.log", b"x" * 900)
    into.add_log("nodes/head/b.log", b"x" * 900)
    into.add_log("nodes/head/c.log", b"x" * 90)
    collected, _ = closed(into)
    assert [file["name"] for file in collected.files] == ["nodes/head/a.log", "nodes/head/c.log"]
    assert collected.cut == [
        {"name": "nodes/head/b.log", "why": "left out: 900 bytes are too many"}
    ]


def test_nothing_is_taken_after_the_end():
    into = collection()
    closed(into)
    into.add_log("late.log", b"x")
    assert closed(into)[0].files == []


def test_files_of_one_name_are_both_kept():
    into = collection()
    into.add_log("nodes/head/a b.log", b"1")
    into.add_log("nodes/head/a_b.log", b"2")
    collected, data = closed(into)
    assert len({file["name"] for file in collected.files}) == 2
    assert evidence.read_index(io.BytesIO(data)) == collected


@given(st.text(), st.text())
def test_any_name_that_a_head_gives_becomes_one_that_can_be_read(folder, name):
    into = collection()
    into.add_log(f"nodes/{folder}/{name}", b"x")
    collected, data = closed(into)
    (file,) = collected.files
    assert ".." not in file["name"].split("/")
    assert evidence.read_file(io.BytesIO(data), file["name"]) == b"x"


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_a_tail_is_the_end_from_the_beginning_of_a_line_on(chunks, most):
    tail, whole = tails.Tail(most), b"".join(chunks)
    for chunk in chunks:
        tail.add(chunk)
    kept = tail.data()
    assert whole.endswith(kept)
    assert len(kept) <= most or kept == whole
    assert kept == whole or kept == b"" or whole[: -len(kept)].endswith(b"\n")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("raykit-evidence/other.json", b"{}", "first file"),
        ("raykit-evidence/collected.json", b"[]", "cannot be read"),
        ("raykit-evidence/collected.json", b'{"schema": 2}', "schema 2"),
        ("raykit-evidence/collected.json", b"[" + b"[]," * 1_000_000 + b"0]", "too many parts"),
        ("raykit-evidence/collected.json", b'{"schema": 1}', "cannot be read"),
        ("raykit-evidence/../x", b"{}", "is no file of evidence"),
        ("/etc/passwd", b"{}", "is no file of evidence"),
        ("raykit-evidence/a/b/c/d", b"{}", "is no file of evidence"),
        ("raykit-evidence/.ssh/x", b"{}", "is no file of evidence"),
    ],
)
def test_an_archive_of_somebody_else_is_refused(name, content, reason):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    out.seek(0)
    with pytest.raises(BadArchiveError, match=reason):
        evidence.read_index(out)


@pytest.mark.parametrize(
    "change",
    [{"files": [{"name": 1, "bytes": 2}]}, {"cut": [{}]}, {"at": "now"}, {"target": []}, {"x": 1}],
)
def test_an_index_with_fields_of_other_types_is_refused(change):
    text = json.dumps(BEGUN.as_dict() | change).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("raykit-evidence/collected.json")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    out.seek(0)
    with pytest.raises(BadArchiveError, match="cannot be read"):
        evidence.read_index(out)


@pytest.fixture
def forgetful(monkeypatch):
    """Secrets that a test learns are forgotten after it."""
    monkeypatch.setattr(redaction, "_known", redaction._known)


@pytest.mark.parametrize(
    "value",
    [
        [{"runtime_env": {"env_vars": {"DB_PASSWORD": "hidden-here-1"}}}],
        {"serialized_runtime_env": '{"env_vars": {"DB_PASSWORD": "hidden-here-2"}}'},
        {"info": '{"serialized": "{\\"env_vars\\": {\\"DB_PASSWORD\\": \\"hidden-here-3\\"}}"}'},
        {"template": {"env": [{"name": "MYSQL_PWD", "value": "hidden-here-4"}]}},
        {"headGroupSpec": {"rayStartParams": {"redis-password": "hidden-here-5"}}},
    ],
    ids=["job", "actor", "task", "container", "ray-start"],
)
def test_secret_variables_are_learned_wherever_they_stand(forgetful, value):
    into = collection()
    into.add_json("ray/any.json", value)
    _, data = closed(into)
    kept = evidence.read_file(io.BytesIO(data), "ray/any.json")
    assert b"hidden-here" not in kept
    assert b"[redacted]" in kept


def test_odd_data_teaches_nothing_and_breaks_nothing(forgetful):
    deep = nested = {}
    for _ in range(5000):
        nested["env_vars"] = nested = {}
    for value in (deep, {"env_vars": ["x"]}, {"name": 3, "value": []}, '{"env_vars": ', None):
        redaction.learn_from(value)


def test_a_secret_in_a_name_is_in_no_header_and_its_file_is_found_by_the_name_of_the_index(
    forgetful,
):
    redaction.learn("raykit-prod-secret")
    into = collection()
    into.add_log("nodes/raykit-prod-secret-1/a.log", b"line\n", "the last 5 bytes")
    collected, data = closed(into)
    assert collected.cut == [{"name": collected.files[0]["name"], "why": "the last 5 bytes"}]
    assert b"raykit-prod-secret" not in gzip.decompress(data)
    (file,) = collected.files
    assert evidence.read_file(io.BytesIO(data), file["name"]) == b"line\n"


def test_a_value_like_a_field_of_the_index_leaves_it_readable(forgetful):
    redaction.learn("versions")
    _, data = closed(collection())
    assert evidence.read_index(io.BytesIO(data)).id == BEGUN.id


@pytest.mark.parametrize("change", [{"at": 1e300}, {"at": -1}, {"jobs": "abc"}])
def test_an_index_with_odd_values_is_refused(change):
    out = io.BytesIO()
    made = collection()
    made.close(out, Collected(**{**vars(BEGUN), "at": 1.0}))
    index = json.loads(evidence.read_file(io.BytesIO(out.getvalue()), evidence.INDEX)) | change
    data, packed = json.dumps(index).encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"raykit-evidence/{evidence.INDEX}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    with pytest.raises(BadArchiveError):
        evidence.read_index(io.BytesIO(packed.getvalue()))


def test_a_head_cannot_make_the_index_as_large_as_it_likes():
    into = collection()
    for number in range(10_000):
        into.note_cut(f"nodes/a/{number}", "left out")
        into.miss(f"file {number}")
    collected, _ = closed(into)
    assert (len(collected.cut), len(collected.missing)) == (evidence.MOST_FILES,) * 2


def test_a_line_that_is_cut_at_its_end_is_left_out():
    assert tails.whole_lines(b"one\nDB_PASSWORD=half-of-it") == b"one\n"
    assert tails.whole_lines(b"no line at all") == b""


def test_what_is_not_redacted_in_time_is_in_no_archive_and_listed():
    into, out = collection(), io.BytesIO()
    into.add_log("nodes/head/a.log", b"hidden-in-this-log\n")
    into.add_json("ray/jobs.json", ["hidden-in-this-json"])
    collected = into.close(out, BEGUN, time.monotonic() - 1)
    assert b"hidden-in-this" not in gzip.decompress(out.getvalue())
    assert collected.files == []
    why = "left out: no time was left to look for secrets in it"
    assert collected.cut == [
        {"name": name, "why": why} for name in ("nodes/head/a.log", "ray/jobs.json")
    ]
    assert evidence.read_index(io.BytesIO(out.getvalue())).cut == collected.cut


def test_a_head_with_more_secrets_than_can_be_looked_for_leaves_nothing_in_the_archive(
    monkeypatch,
):
    monkeypatch.setattr(redaction, "MOST_FORMS", 20)
    variables = {f"TOKEN_{number}": f"hidden-{number:04}" for number in range(30)}
    into = collection()
    into.add_log("nodes/head/hidden-0007.log", b"hidden-0001\n")
    into.miss("hidden-0002: no answer")
    into.add_json("ray/jobs.json", {"env_vars": variables})
    into.add_job("hidden-0003")
    collected, data = closed(into)
    assert b"hidden-00" not in gzip.decompress(data)
    assert [cut["name"] for cut in collected.cut] == ["all files"]
    assert (collected.files, collected.missing, collected.jobs) == ([], [], [])


def test_data_that_is_nested_too_deeply_to_be_cleaned_is_left_out_by_name():
    deep = nested = []
    # From Python 3.12 on a level takes one frame, and json has a limit of its own.
    for _ in range(700 if sys.version_info < (3, 12) else sys.getrecursionlimit() + 100):
        nested.append(nested := [])
    into = collection()
    into.add_json("ray/actors.json", deep)
    into.add_json("ray/nodes.json", ["flat"])
    collected, _ = closed(into)
    assert [file["name"] for file in collected.files] == ["ray/nodes.json"]
    assert collected.cut == [
        {"name": "ray/actors.json", "why": "left out: it is nested too deeply"}
    ]


def test_a_name_of_any_length_does_not_make_the_index_long():
    into = collection()
    into.note_cut("nodes/" + "x" * 1_000_000, "left out")
    into.miss("y" * 1_000_000)
    collected, _ = closed(into)
    assert len(json.dumps(collected.as_dict())) < 5_000


@given(st.data())
def test_an_index_is_read_again_whatever_the_secrets_are(data):
    into = collection()
    into.add_log("nodes/head/a.log", b"line\n", "the last 5 bytes")
    into.add_job("job-1")
    into.miss("pods: forbidden")
    index = json.dumps(closed(into)[0].as_dict())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", ())
        starts = st.integers(0, len(index) - 4)
        for start in data.draw(st.lists(starts, max_size=5)):
            redaction.learn(index[start : start + data.draw(st.integers(4, 12))])
        out = io.BytesIO()
        into.close(out, BEGUN)
        read = evidence.read_index(io.BytesIO(out.getvalue()))
    assert (read.id, read.target, len(read.files)) == (BEGUN.id, BEGUN.target, 1)
