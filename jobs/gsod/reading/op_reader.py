"""Reads one station's file in the format that NOAA had until 2018: `.op`, packed `.op.gz`.

Lines have fixed columns and name no country:

    `STN--- WBAN   YEARMODA    TEMP       DEWP …`
    `066000 99999  19600101    34.0  4    32.5  4 …`
"""

from __future__ import annotations

import re
import zlib

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Quality, Question, Station
from jobs.gsod.reading.csv_reader import Columns, Rows
from jobs.gsod.reading.gzip_stream import GZIP

MOST_BYTES = 2**20
"""A station's year has 51 KB."""

LINE = re.compile(
    r"(\w{6}) (\d{5})  (\d{4})(\d\d)(\d\d)"  # station, WBAN number, date
    r"  (?P<TEMP>.{6}) .."  # with the number of observations, as are the next five
    r"  .{6} ..  .{6} ..  .{6} ..  .{5} ..  .{5} .."  # DEWP, SLP, STP, VISIB, WDSP
    r"  .{5}  .{5}"  # MXSPD, GUST
    r"  (?P<MAX>.{6})(.) .{6}. .{5}. .{5}"  # with a mark: MAX, MIN, PRCP; SNDP
    r"  [01]{6} *",  # FRSHTT
    re.ASCII,
)


def inflate(content: bytes, where: str) -> bytes:
    """The content of an `.op.gz` file. Raises DataProblem if it is damaged or too large."""
    inflater = zlib.decompressobj(GZIP)
    try:
        text = inflater.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise DataProblem(f"{where} is corrupt", f"inflating: {error}") from error
    if inflater.unconsumed_tail:
        raise DataProblem(
            f"{where} inflates to more than {MOST_BYTES:,} bytes: not a station's year"
        )
    if not inflater.eof:
        raise DataProblem(f"{where} is cut short", "it ends inside the compressed data")
    if inflater.unused_data:
        raise DataProblem(f"{where} has other bytes after its end")
    return text


def read_op(
    content: bytes, where: str, year: int, question: Question
) -> tuple[dict[str, Station], Quality]:
    """Counters of each station in a file, and its quality.

    A station's id is the one it has in CSV files. Raises DataProblem, naming file and line, if a
    line does not have the format's columns.
    """
    attributes = 3 if question.column == "MAX" else None
    columns = Columns(4, station=0, date=1, value=2, name=None, attributes=attributes)
    rows = Rows(where, year, question, columns)
    lines = content.decode("latin-1").split("\n")
    for number, line in enumerate(lines[1:], 2):
        if line.strip(" \r"):
            rows.add(number, _fields(line.rstrip("\r"), f"{where}:{number}", question))
    rows.quality.files = 1
    return rows.stations, rows.quality


def _fields(line: str, where: str, question: Question) -> list[str]:
    """A line as a row of CSV: station, date, value, mark of MAX."""
    match = LINE.fullmatch(line)
    if not match:
        raise DataProblem(
            f"{where}: not a line of the format that NOAA had until 2018", repr(line[:160])
        )
    station, wban, year, month, day = match.group(1, 2, 3, 4, 5)
    return [station + wban, f"{year}-{month}-{day}", match[question.column], match[8]]
