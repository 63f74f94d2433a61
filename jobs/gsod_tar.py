"""A tar archive as a stream of its regular members, judged strictly; nothing is ever extracted.

The standard library's reader takes damage for the end of an archive. This one asks for a checksum
on every header, whole members, the two zero blocks at the end and nothing but zeros after them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from jobs.gsod_problem import DataProblem

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
REGULAR, PAX, PAX_GLOBAL, GNU_NAME = b"0", b"x", b"g", b"L"
SKIPPED = {
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "character device",
    b"4": "block device",
    b"5": "folder",
    b"6": "fifo",
}
PLAIN_NAME = re.compile(r"\w+\.csv", re.ASCII).fullmatch
MAX_MEMBER = 16 * 2**20
MAX_EXTENSION = 2**16
MAX_MEMBERS = 200_000


@dataclass(frozen=True)
class Header:
    name: str
    size: int
    kind: bytes


class TarReader:
    """Reads one archive; iterate to get (name, content) of each regular member.

    skipped: how many members of other kinds were passed over. Raises DataProblem for anything that
    is not a whole, well-formed archive, for hostile names and for a name that comes twice.
    """

    def __init__(self, pieces: Iterable[bytes], archive: str) -> None:
        self.archive = archive
        self.skipped: Counter[str] = Counter()
        self._pieces = iter(pieces)
        self._buffer = b""
        self._at = 0
        self._names: set[str] = set()
        # What follows a header's checksum is the same for all of NOAA's members: add it up once.
        self._sums: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        long_name = ""
        while (block := self._take(BLOCK, "a member's header")) != ZERO_BLOCK:
            header = self._header(block)
            if header.kind in (PAX, PAX_GLOBAL, GNU_NAME):
                long_name = self._extension(header) or long_name
                continue
            name, long_name = long_name or header.name, ""
            if header.kind in SKIPPED:
                self._skip(header, name)
                continue
            if header.kind != REGULAR:
                self._fail(f"member {name!r} is of the unknown kind {header.kind!r}")
            yield self._new_name(name), self._content(header.size, name)
        self._finish()

    def _header(self, block: bytes) -> Header:
        rest = block[156:]
        if rest not in self._sums:
            self._sums.clear()
            self._sums[rest] = sum(rest)
        computed = sum(block[:148].translate(None, b"\0")) + 8 * 0x20 + self._sums[rest]
        if self._octal(block[148:156], "checksum") != computed:
            self._fail("a member's header is damaged: its checksum does not match")
        size = self._octal(block[124:136], "size")
        name = _text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
            name = f"{prefix}/{name}"
        kind = block[156:157]
        return Header(name, size, REGULAR if kind in (b"\0", b"7") else kind)

    def _octal(self, field: bytes, what: str) -> int:
        digits = field.strip(b" \0")
        if not digits or digits.translate(None, b"01234567"):
            self._fail(f"a member's header is damaged: its {what} is {field!r}")
        return int(digits, 8)

    def _extension(self, header: Header) -> str:
        """Read a pax or GNU extension; returns the name it gives to the next member."""
        if header.size > MAX_EXTENSION:
            self._fail("an extension header is too large")
        content = self._content(header.size, "extension header")
        if header.kind == GNU_NAME:
            return _text(content)
        return self._pax(content) if header.kind == PAX else ""

    def _pax(self, content: bytes) -> str:
        name, rest = "", content
        while rest:
            length, space, _ = rest.partition(b" ")
            if not space or not length.isdigit() or not len(length) < int(length) <= len(rest):
                self._fail("an extension header is damaged")
            record, rest = rest[len(length) + 1 : int(length)], rest[int(length) :]
            key, _, value = record.rstrip(b"\n").partition(b"=")
            if key == b"size" or key.startswith(b"GNU.sparse"):
                self._fail(f"an extension header sets {_text(key)}: not an archive of NOAA's")
            if key == b"path":
                name = _text(value)
        return name

    def _skip(self, header: Header, name: str) -> None:
        if header.size:
            self._fail(f"member {name!r}, a {SKIPPED[header.kind]}, claims to have content")
        self.skipped[SKIPPED[header.kind]] += 1

    def _new_name(self, name: str) -> str:
        plain = name
        if not PLAIN_NAME(name):
            plain = self._checked_name(name)
        if plain in self._names:
            self._fail(f"member {name!r} comes twice")
        self._names.add(plain)
        if len(self._names) > MAX_MEMBERS:
            self._fail(f"it has more than {MAX_MEMBERS:,} members")
        return plain

    def _checked_name(self, name: str) -> str:
        plain = name.removeprefix("./")
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
            self._fail(f"member {name!r} would lie outside of the archive's folder")
        if not plain or not plain.isprintable():
            self._fail(f"member {name!r} has an unusable name")
        return plain

    def _content(self, size: int, name: str) -> bytes:
        if size > MAX_MEMBER:
            self._fail(f"member {name!r} claims {size:,} bytes: not one station's year")
        at, padded = self._at, -(-size // BLOCK) * BLOCK
        if at + padded > len(self._buffer):
            return self._gather(padded, f"member {name!r}")[:size]
        self._at = at + padded
        return self._buffer[at : at + size]

    def _take(self, count: int, what: str) -> bytes:
        if len(self._buffer) - self._at < count:
            return self._gather(count, what)
        taken = self._buffer[self._at : self._at + count]
        self._at += count
        return taken

    def _gather(self, count: int, what: str) -> bytes:
        """Bytes that reach over the end of a piece; what follows stays where it is."""
        parts = [self._buffer[self._at :]]
        held = len(parts[0])
        while held < count:
            piece = next(self._pieces, None)
            if piece is None:
                self._fail(f"the archive ends where {what} should be: it is cut short")
            self._buffer, self._at = piece, min(len(piece), count - held)
            parts.append(piece[: self._at])
            held += self._at
        return b"".join(parts)

    def _finish(self) -> None:
        if self._take(BLOCK, "its second closing block") != ZERO_BLOCK:
            self._fail("the archive goes on after a closing block")
        rest = [self._buffer[self._at :]]
        while rest:
            if any(part.count(0) != len(part) for part in rest):
                self._fail("the archive has other bytes after its end")
            rest = [piece for piece in [next(self._pieces, None)] if piece is not None]

    def _fail(self, what: str) -> NoReturn:
        raise DataProblem(f"{self.archive} is not a whole, well-formed archive", what)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
