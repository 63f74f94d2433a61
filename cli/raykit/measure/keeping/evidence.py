"""Evidence of a cluster: what `raykit collect` gathers, as one archive that is safe to unpack.

    raykit-evidence/collected.json     what is in it, what was cut, what could not be had
    raykit-evidence/ray/…              what the head says: versions, nodes, actors, jobs
    raykit-evidence/jobs/<id>/…        task rows, timeline (Chrome's trace format), driver log
    raykit-evidence/nodes/<node>/…     Ray's log files of each Ray node
    raykit-evidence/kubernetes/…       RayCluster, pods, events, Kubernetes nodes, operator's log
    raykit-evidence/pods/<pod>/…       the logs of each container

Every file is redacted when the archive is written, so that a secret that is learned late is gone
from what was read before.
"""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar

from raykit.fields import TEXT, TEXTS, Closed, Leaf, ListOf, Required, check
from raykit.measure import events
from raykit.measure.keeping import plain_tar
from raykit.measure.keeping.cleaning import cleaned_target
from raykit.measure.keeping.plain_tar import BadArchiveError, Entry, Rules, Source, Writable
from raykit.measure.keeping.shapes import COUNT, TARGET, TIME, VERSIONS
from raykit.measure.keeping.tails import MOST_LOG
from raykit.redaction import learn_from, redacted
from raykit.redaction.finder import NotRedactedError

EVIDENCE, INDEX = "evidence.tar.gz", "collected.json"
ROOT = "raykit-evidence"
SCHEMA = 1
FROM_OUTSIDE = ("why", "versions", "jobs", "files", "cut", "missing")
KEYS = ("name", "bytes", "why", "raykit", "python")
"""Of an index: the fields whose texts may hold a secret, and the keys within them."""
PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
NAME = re.compile(rf"{ROOT}/({PART}(?:/{PART}){{0,2}})")
FOLDER = re.compile(rf"{ROOT}(/{PART}){{0,2}}/?")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
LONGEST_PART = 96

_Note = TypeVar("_Note", str, None)

MOST_JSON = 24 << 20
LAST_MOMENT = 253_402_300_799
"""The end of the year 9999: the last moment that can be shown."""
MOST_BYTES, MOST_FILES = 64 << 20, 2_000
"""All files of an archive together, before they are compressed."""
LONGEST_NOTE = 500
"""Characters of one name or reason in the index; a part of a longer one could hide a secret."""
MOST_PARTS = 1_000_000
"""Of an index that is read: anybody may have made it, and each takes memory."""
GROWTH = 4
"""Redacting makes a file up to 2.8 times as long (of `://a@`), so more is read than is gathered."""


def _moment(value: float) -> None:
    if not 0 <= value <= LAST_MOMENT:
        raise ValueError


SHAPE = Closed(
    {
        "schema": COUNT,
        **dict.fromkeys(("id", "why"), Required(TEXT)),
        "at": Required(Leaf((int, float), "a time", _moment)),
        "seconds": Required(TIME),
        "target": Required(TARGET),
        "versions": VERSIONS,
        "jobs": TEXTS,
        "files": ListOf({"name": Required(TEXT), "bytes": Required(COUNT)}),
        "cut": ListOf(dict.fromkeys(("name", "why"), Required(TEXT))),
        "missing": TEXTS,
    }
)
"""The fields of an index, with their types."""


@dataclass(frozen=True)
class Collected:
    """What an archive of evidence holds.

    at: Unix seconds; why: what it was collected for; seconds: how long that took. target: where
    (kind, context, namespace, cluster or url). versions: of raykit and Python. jobs: submission ids
    whose tasks and logs are in it. files: name and bytes of each; cut: name and reason of what is
    not whole or was left out; missing: what could not be had, a line each.
    """

    id: str
    at: float
    why: str
    seconds: float
    target: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    cut: list[dict[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def bytes(self) -> int:
        return sum(int(file["bytes"]) for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Collection:
    """Files that are being gathered, by several threads at once. deadline: monotonic seconds.

    closed: nothing more is taken.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.closed = False
        self._lock = threading.Lock()
        self._files: dict[str, bytes | _Json] = {}
        self._size = 0
        self._cut: dict[str, str] = {}
        self._missing: dict[str, None] = {}
        self._jobs: dict[str, None] = {}
        self._refused = ""

    def stop(self) -> None:
        """Take nothing more, and begin no further step."""
        self.deadline, self.closed = 0.0, True

    def add_log(self, name: str, data: bytes, cut: str = "") -> None:
        """Take a log. cut: what was left out of it, if anything."""
        self._add(name, data, len(data), MOST_LOG + 1, cut)

    def add_json(self, name: str, value: object) -> None:
        """Take JSON data, and remember the secret variables that stand in it."""
        try:
            learn_from(value)
        except NotRedactedError as error:
            # Each of them may stand in every other file, too.
            self._refused = f"left out: {error}"
        self._add(name, _Json(value), len(_dumped(value)), MOST_JSON, "")

    def add_job(self, submission_id: str) -> None:
        """Note a job whose tasks and log are gathered."""
        self._note(self._jobs, submission_id, None)

    def note_cut(self, name: str, reason: str) -> None:
        """Note what exists and is not taken, or not as a whole."""
        self._note(self._cut, name, reason)

    def miss(self, text: str) -> None:
        """Note what could not be had, and why."""
        self._note(self._missing, text, None)

    def close(self, out: Writable, collected: Collected, deadline: float = math.inf) -> Collected:
        """Write the archive; return what is in it. collected: without its lists.

        deadline: monotonic seconds; what is not redacted until then is left out, and listed.
        """
        with self._lock:
            self.closed = True
        if self._refused:
            self._files, self._missing, self._jobs = {}, {}, {}
            self._cut = {"all files": self._refused}
        contents = self._cleaned(deadline)
        whole = Collected(
            **{
                **vars(collected),
                "jobs": list(self._jobs),
                "files": [{"name": name, "bytes": len(data)} for name, data in contents.items()],
                "cut": [{"name": name, "why": why} for name, why in self._cut.items()],
                "missing": list(self._missing),
            }
        )
        index = {INDEX: _dumped(_clean_index(whole))}
        sources = (
            Source(f"{ROOT}/{name}", partial(_stream, data), int(whole.at))
            for name, data in (index | contents).items()
        )
        plain_tar.write(out, sources, RULES)
        return whole

    def _cleaned(self, deadline: float) -> dict[str, bytes]:
        """The files without secrets; those that could not be cleaned are noted as cut."""
        contents: dict[str, bytes] = {}
        for name, content in sorted(self._files.items()):
            try:
                data = _clean(content, deadline)
            except NotRedactedError as error:
                self._cut[name] = f"left out: {error}"
                continue
            # A secret may stand in a name, too: a variable's value that a file is called by.
            clean = _free(safe_name(redacted(name)), contents)
            contents[clean] = data
            if name in self._cut:
                self._cut[clean] = self._cut.pop(name)
        return contents

    def _note(self, notes: dict[str, _Note], key: str, value: _Note) -> None:
        """Note something, if there is room: a head may name as many files as it likes."""
        if len(key) > LONGEST_NOTE:
            key = f"something with a name of {len(key):,} characters"
        with self._lock:
            if not self.closed and (key in notes or len(notes) < MOST_FILES):
                notes[key] = value

    def _add(self, name: str, content: bytes | _Json, size: int, most: int, cut: str) -> None:
        with self._lock:
            if self.closed:
                return
            plain = _free(safe_name(name), self._files)
            if size > most or self._size + size > MOST_BYTES or len(self._files) >= MOST_FILES - 1:
                self._cut[plain] = f"left out: {size:,} bytes are too many"
                return
            self._files[plain] = content
            self._size += size
            if cut:
                self._cut[plain] = cut


def safe_name(name: str) -> str:
    """A name that an archive may hold: a head or a cluster chose its parts."""
    parts = [part for part in name.split("/") if part]
    last = ["_".join(parts[2:])] if parts[2:] else []
    return "/".join(map(_safe_part, [*parts[:2], *last])) or "_"


def read_index(stream: BinaryIO) -> Collected:
    """What an archive says it holds: its first file.

    Errors: BadArchiveError.
    """
    for entry in plain_tar.read(stream, RULES):
        return _index(entry)
    raise BadArchiveError("it is empty")


def read_file(stream: BinaryIO, name: str) -> bytes | None:
    """One file of an archive, which is read to its end; None if there is none of that name.

    Errors: BadArchiveError.
    """
    found: bytes | None = None
    for entry in plain_tar.read(stream, RULES):
        if entry.name == f"{ROOT}/{name}":
            found = b"".join(entry.chunks)
    return found


@dataclass(frozen=True)
class _Json:
    """JSON data that is redacted as data, not as text."""

    value: object


def _safe_part(part: str) -> str:
    return UNSAFE.sub("_", part).lstrip(".-")[:LONGEST_PART] or "_"


def _free(name: str, taken: Container[str]) -> str:
    """The name, or one like it that is not taken yet."""
    folder, slash, last = name.rpartition("/")
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{folder}{slash}{last[: LONGEST_PART - 8]}-{count}"
    return free


def _clean(content: bytes | _Json, deadline: float) -> bytes:
    """A file's bytes without secrets. Errors: NotRedactedError if that cannot be had in time."""
    if isinstance(content, bytes):
        text = content.decode("utf-8", "surrogateescape")
        return redacted(text, deadline=deadline).encode("utf-8", "surrogateescape")
    try:
        return _dumped(redacted(content.value, deadline=deadline))
    except RecursionError as error:
        raise NotRedactedError("it is nested too deeply") from error


def _clean_index(whole: Collected) -> dict[str, Any]:
    """The index without secrets. Its fields' names and ids are none, whatever values a head has."""
    data = whole.as_dict()
    clean = {name: redacted(data[name], kept=KEYS) for name in FROM_OUTSIDE}
    return data | clean | {"target": cleaned_target(whole.target)}


def _dumped(value: object) -> bytes:
    # Without indentation: deeply nested data would grow to many times its size.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.encode() + b"\n"


def _stream(data: bytes) -> BinaryIO:
    return io.BytesIO(data)


def _index(entry: Entry) -> Collected:
    if entry.name != f"{ROOT}/{INDEX}":
        raise BadArchiveError(f"its first file is not {INDEX}")
    try:
        text = b"".join(entry.chunks).decode()
        if text.count("[") + text.count("{") > MOST_PARTS:
            raise ValueError("it has too many parts")
        data = events.loads(text)
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        if data.get("schema") != SCHEMA:
            raise ValueError(f"schema {data.get('schema')}, this raykit reads {SCHEMA}")
        check(data, SHAPE, "")
        return Collected(**data)
    except (ValueError, RecursionError) as error:
        raise BadArchiveError(f"its {INDEX} cannot be read: {error}") from error


def _largest(name: str) -> int | None:
    return GROWTH * MOST_JSON if NAME.fullmatch(name) else None


RULES = Rules(
    largest=_largest,
    is_folder=lambda name: FOLDER.fullmatch(name) is not None,
    most_bytes=GROWTH * MOST_BYTES,
    most_files=MOST_FILES,
    kind="file of evidence",
    writer="raykit collect",
)
