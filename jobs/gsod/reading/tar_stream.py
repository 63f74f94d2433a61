"""Reads a tar archive as a stream of its regular members, with strict checks; extracts nothing.

The standard library's reader mistakes some damage for the end of an archive. This one requires a
valid checksum of every header, complete members, two zero blocks at the end, and then only zeros.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, NoReturn
from zlib import adler32

from jobs.gsod.archive import DataProblem
from jobs.gsod.reading.formats import BEGINNING, name_format
from jobs.gsod.reading.read_ahead import Stream

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
REGULAR, PAX, PAX_GLOBAL, GNU_NAME = b"0", b"x", b"g", b"L"
EXTENSIONS = (PAX, PAX_GLOBAL, GNU_NAME)
SKIPPED = {
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "character device",
    b"4": "block device",
    b"5": "folder",
    b"6": "fifo",
}
PLAIN_NAME = re.compile(r"\w+\.csv", re.ASCII).fullmatch
WINDOW = 2 * 2**20
"""Bytes held at a time: enough for some dozens of files, little enough for a CPU's cache."""

HEADER = "a member's header"
MAX_MEMBER = 16 * 2**20
MAX_EXTENSION = 2**16
MAX_MEMBERS = 200_000
SHOWN = 100
"""Characters of a member's name in a message."""


class Tail(NamedTuple):
    """The part of a header behind its checksum, and what it adds to the checksum."""

    kind: bytes
    prefix: str
    added: int


class Member(NamedTuple):
    """A regular member: its name, and where in the window its content lies."""

    name: str
    buffer: bytearray
    start: int
    stop: int

    @property
    def content(self) -> bytes:
        return bytes(memoryview(self.buffer)[self.start : self.stop])


class TarReader:
    """Reads one archive; iterate to get lists of regular members, window by window.

    A window's members lie in the same memory as those of the window before: take what you need.
    skipped: how many members of other kinds were passed over. Raises DataProblem for anything that
    is not a whole, well-formed archive, for hostile names and for a name that comes twice.
    """

    def __init__(self, stream: Stream, archive: str) -> None:
        self.archive = archive
        self.skipped: Counter[str] = Counter()
        self._stream = stream
        self._window = bytearray(WINDOW)
        self._at = self._end = self._wanted = 0
        self._exhausted = self._closed = self._begun = False
        self._names: set[str] = set()
        self._long_name = ""
        # All of NOAA's members have the same tail: parse it once.
        self._tail_bytes, self._tail = b"", Tail(b"", "", 0)

    def __iter__(self) -> Iterator[list[Member]]:
        while not self._closed:
            self._refill()
            yield list(self._members())
        self._finish()

    def _members(self) -> Iterator[Member]:
        """The members that are complete in the window, up to the first closing block."""
        window = self._window
        while self._ask_for(BLOCK):
            start = self._at + BLOCK
            block = bytes(window[self._at : start])
            if block == ZERO_BLOCK:
                self._at, self._closed = start, True
                return
            name, size, kind = self._header(block)
            self._begun = True
            stop = start + size
            end = stop + -size % BLOCK
            if end > self._end and not self._ask_for(end - self._at, name):
                return
            self._at = end
            if kind == REGULAR:
                name, self._long_name = self._long_name or name, ""
                yield Member(self._new_name(name), window, start, stop)
            else:
                self._pass_over(kind, bytes(window[start:stop]))

    def _header(self, block: bytes) -> tuple[str, int, bytes]:
        """A member's name, size and kind."""
        if block[156:] != self._tail_bytes:
            self._tail_bytes = block[156:]
            self._tail = _parse_tail(self._tail_bytes)
        kind, prefix, added = self._tail
        computed = _sum_of(block[:148]) + added
        if octal(block[148:156]) != computed:
            self._fail("a member's header is damaged: its checksum does not match")
        name, size = prefix + _text(block[:100]), octal(block[124:136])
        if size is None:
            self._fail(f"a member's header is damaged: its size is {block[124:136]!r}")
        if kind != REGULAR:
            self._check_kind(kind, name, size)
        elif size > MAX_MEMBER:
            self._fail(f"member {_short(name)} claims {size:,} bytes: not one station's year")
        return name, size, kind

    def _check_kind(self, kind: bytes, name: str, size: int) -> None:
        """Refuse a member that is neither skipped nor an extension, before its content is read."""
        if kind in SKIPPED:
            if size:
                named = _short(self._long_name or name)
                self._fail(f"member {named}, a {SKIPPED[kind]}, claims to have content")
        elif kind not in EXTENSIONS:
            self._fail(f"member {_short(self._long_name or name)} is of the unknown kind {kind!r}")
        elif size > MAX_EXTENSION:
            self._fail("an extension header is too large")

    def _pass_over(self, kind: bytes, content: bytes) -> None:
        """Skip a member that is no file; keep what an extension header says about the next one."""
        if kind in SKIPPED:
            self._long_name = ""
            self.skipped[SKIPPED[kind]] += 1
        elif kind == GNU_NAME:
            self._long_name = _text(content)
        elif kind == PAX:
            self._long_name = self._pax(content) or self._long_name
        elif self._pax(content):
            self._fail("an extension header names all members alike")

    def _pax(self, content: bytes) -> str:
        name, rest = "", content
        while rest:
            length, space, _ = rest.partition(b" ")
            if (
                not space
                or len(length) > 9
                or not length.isdigit()
                or not len(length) < int(length) <= len(rest)
            ):
                self._fail("an extension header is damaged")
            record, rest = rest[len(length) + 1 : int(length)], rest[int(length) :]
            key, _, value = record.rstrip(b"\n").partition(b"=")
            if key == b"size" or key.startswith(b"GNU.sparse"):
                self._fail(f"an extension header sets {_text(key)}: not an archive of NOAA's")
            if key == b"path":
                name = _text(value)
        return name

    def _new_name(self, name: str) -> str:
        plain = name if PLAIN_NAME(name) else self._checked_name(name)
        if plain in self._names:
            self._fail(f"member {_short(name)} comes twice")
        self._names.add(plain)
        if len(self._names) > MAX_MEMBERS:
            self._fail(f"it has more than {MAX_MEMBERS:,} members")
        return plain

    def _checked_name(self, name: str) -> str:
        plain = name.removeprefix("./")
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
            self._fail(f"member {_short(name)} would lie outside of the archive's folder")
        if not plain or not plain.isprintable():
            self._fail(f"member {_short(name)} has an unusable name")
        return plain

    def _ask_for(self, count: int, member: str | None = None, what: str = HEADER) -> bool:
        """Whether the window holds so many more bytes; if not, the next one must."""
        if self._at + count <= self._end:
            return True
        if self._exhausted:
            what = what if member is None else f"member {_short(member)}"
            self._fail(f"the archive ends where {what} should be: it is cut short")
        self._wanted = count
        return False

    def _refill(self) -> None:
        """Move the rest of the window to its front, and fill it up."""
        rest = self._window[self._at : self._end]
        if self._wanted > len(self._window):
            self._window = bytearray(self._wanted)
        self._window[: len(rest)] = rest
        self._at, self._end = 0, len(rest)
        with memoryview(self._window) as view:
            while self._end < len(view) and not self._exhausted:
                size = self._stream.readinto(view[self._end :])
                self._exhausted = not size
                self._end += size

    def _finish(self) -> None:
        if self._long_name:
            self._fail("its last extension header has no member")
        while not self._ask_for(BLOCK, what="its second closing block"):
            self._refill()
        if self._window[self._at : self._at + BLOCK] != ZERO_BLOCK:
            self._fail("the archive goes on after a closing block")
        while self._at < self._end or not self._exhausted:
            if self._window.count(0, self._at, self._end) != self._end - self._at:
                self._fail("the archive has other bytes after its end")
            self._at = self._end
            self._refill()

    def _fail(self, what: str) -> NoReturn:
        problem = f"{self.archive} is not a whole, well-formed archive"
        # No member was read: the whole file may be of another format.
        known = None if self._begun else name_format(bytes(self._window[:BEGINNING]))
        raise DataProblem(problem, what, *([f"it looks like {known}"] if known else []))


def octal(field: bytes) -> int | None:
    """A header's octal number; None if it is not one."""
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None


def _parse_tail(tail: bytes) -> Tail:
    """Parse the part of a header behind its checksum."""
    kind = REGULAR if tail[:1] in (b"\0", b"7") else tail[:1]
    prefix = _text(tail[189:344]) if tail[101:107] == b"ustar\0" else ""
    # A checksum is computed as if its own field were spaces.
    return Tail(kind, f"{prefix}/" if prefix else "", sum(tail) + 8 * ord(" "))


def _short(name: str) -> str:
    """A name as a message shows it: hostile archives hold very long ones."""
    return repr(name if len(name) <= SHOWN else f"{name[:SHOWN]}…")


def _sum_of(data: bytes) -> int:
    """The sum of up to 256 bytes: the lower half of Adler-32 is that sum plus 1, and it is fast."""
    return (adler32(data) & 0xFFFF) - 1


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")
