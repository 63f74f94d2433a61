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
import re
import threading
from collections import deque
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar

from raykit.measure import events
from raykit.measure.keeping import plain_tar
from raykit.measure.keeping.plain_tar import BadArchiveError, Entry, Rules, Source, Writable
from raykit.redaction import learn_from, redacted

EVIDENCE, INDEX = "evidence.tar.gz", "collected.json"
ROOT = "raykit-evidence"
SCHEMA = 1
PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
NAME = re.compile(rf"{ROOT}/({PART}(?:/{PART}){{0,2}})")
FOLDER = re.compile(rf"{ROOT}(/{PART}){{0,2}}/?")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
LONGEST_PART = 96

_Note = TypeVar("_Note", str, None)

MOST_LOG, MOST_LINES = 1 << 20, 10_000
"""Bytes and lines that are kept of one log: its last ones."""
MOST_JSON = 24 << 20
LAST_MOMENT = 253_402_300_799
"""The end of the year 9999: the last moment that can be shown."""
MOST_BYTES, MOST_FILES = 64 << 20, 2_000
"""All files of an archive together, before they are compressed."""


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

    def stop(self) -> None:
        """Take nothing more, and begin no further step."""
        self.deadline, self.closed = 0.0, True

    def add_log(self, name: str, data: bytes, cut: str = "") -> None:
        """Take a log. cut: what was left out of it, if anything."""
        self._add(name, data, len(data), MOST_LOG + 1, cut)

    def add_json(self, name: str, value: object) -> None:
        """Take JSON data, and remember the secret variables that stand in it."""
        learn_from(value)
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

    def close(self, out: Writable, collected: Collected) -> Collected:
        """Write the archive; return what is in it. collected: without its lists."""
        with self._lock:
            self.closed = True
        contents: dict[str, bytes] = {}
        for name, content in sorted(self._files.items()):
            # A secret may stand in a name, too: a variable's value that a file is called by.
            contents[_free(safe_name(redacted(name)), contents)] = _clean(content)
        whole = Collected(
            **{
                **vars(collected),
                "jobs": list(self._jobs),
                "files": [{"name": name, "bytes": len(data)} for name, data in contents.items()],
                "cut": [{"name": name, "why": why} for name, why in self._cut.items()],
                "missing": list(self._missing),
            }
        )
        # The fields' own names are no secrets, whatever values a head has.
        index = {INDEX: _dumped({key: redacted(value) for key, value in vars(whole).items()})}
        sources = (
            Source(f"{ROOT}/{name}", partial(_stream, data), int(whole.at))
            for name, data in (index | contents).items()
        )
        plain_tar.write(out, sources, RULES)
        return whole

    def _note(self, notes: dict[str, _Note], key: str, value: _Note) -> None:
        """Note something, if there is room: a head may name as many files as it likes."""
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


class Tail:
    """The last bytes of a stream, from the beginning of a line on."""

    def __init__(self, most: int = MOST_LOG) -> None:
        self.most = most
        self.total = 0
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.total += len(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) > self.most:
            self._size -= len(self._chunks.popleft())

    @property
    def is_cut(self) -> bool:
        return self.total > self.most

    def data(self) -> bytes:
        """What is kept. A first line without its beginning is left out: it may cut a secret."""
        kept = b"".join(self._chunks)
        if not self.is_cut:
            return kept
        _, _, whole = kept[-self.most :].partition(b"\n")
        return whole


def whole_lines(data: bytes) -> bytes:
    """The data without a last line that is cut: a part of a secret is not known as one."""
    return data[: data.rfind(b"\n") + 1]


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


def _clean(content: bytes | _Json) -> bytes:
    if isinstance(content, _Json):
        return _dumped(redacted(content.value))
    return redacted(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


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
        data = events.loads(b"".join(entry.chunks).decode())
        if data.get("schema") != SCHEMA:
            raise ValueError(f"schema {data.get('schema')}, this raykit reads {SCHEMA}")
        collected = Collected(**data)
        _check(collected)
        return collected
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise BadArchiveError(f"its {INDEX} cannot be read: {error}") from error


def _check(collected: Collected) -> None:
    """Errors: ValueError, TypeError for fields of other types than `Collection.close` writes."""
    cells = [cut[key] for cut in collected.cut for key in ("name", "why")]
    names = [file["name"] for file in collected.files]
    texts = [collected.id, collected.why, *collected.jobs, *collected.missing, *cells, *names]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("unusable texts")
    numbers = [collected.at, collected.seconds, *(file["bytes"] for file in collected.files)]
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("unusable numbers")
    if not 0 <= collected.at <= LAST_MOMENT:
        raise ValueError("unusable time")
    if not isinstance(collected.target, dict) or not isinstance(collected.jobs, list):
        raise ValueError("unusable target or jobs")


def _largest(name: str) -> int | None:
    return 4 * MOST_JSON if NAME.fullmatch(name) else None


RULES = Rules(
    largest=_largest,
    is_folder=lambda name: FOLDER.fullmatch(name) is not None,
    most_bytes=4 * MOST_BYTES,
    most_files=MOST_FILES,
    kind="file of evidence",
    writer="raykit collect",
)
"""Redacting may make files longer, so more is read than is gathered."""
