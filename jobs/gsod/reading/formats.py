"""Other files that turn up where an archive or a station's file should be, by their beginning."""

from __future__ import annotations

BEGINNING = 1_000
"""How many bytes of a file tell what it is."""

GZIP = b"\x1f\x8b"
CSV_FILE = "one station's CSV file"
OP_FILE = "one station's file in the format that NOAA had until 2018 (.op)"
APPLE_DOUBLE = "macOS metadata"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257

SIGNATURES = (
    (GZIP, "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x9d", "compress (.Z) data"),
    (b"PAR1", "a Parquet file"),
    (b"\0\x05\x16\x07", APPLE_DOUBLE),
    (b"\0\0\0\x01Bud1", "a macOS folder's settings (.DS_Store)"),
    (b"STN---", OP_FILE),
    (b'"STATION"', CSV_FILE),
    (b"STATION,", CSV_FILE),
)


def name_format(beginning: bytes) -> str | None:
    """What a file is, in words, by its first bytes; None where that is not known."""
    if beginning[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        return "a tar archive without compression: pack it with gzip"
    text = beginning.lower()
    if b"<html" in text or b"<!doctype" in text:
        return "a web page saved under this name"
    if text.lstrip().startswith(b"<?xml"):
        return "an XML document, such as a server's error message"
    return next((name for start, name in SIGNATURES if beginning.startswith(start)), None)
