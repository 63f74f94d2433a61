"""Finds the archives in a folder, one `<year>.tar.gz` for each year."""

from __future__ import annotations

import os
from pathlib import Path

WAYS_TO_A_POD = (
    "archives of up to 100 MiB: raykit submit gsod --working-dir FOLDER -- --data .",
    "any size: --data noaa, https://… or s3://…, or a volume of the spec and --data PATH",
)

MOST_YEARS = 300
"""Years that a message lists; weather has been measured for about as many."""


class DataProblem(Exception):
    """Input data that is corrupt, incomplete or unreadable.

    what: one line. evidence: lines that say where, such as `2020.tar.gz: 72429793812.csv:17: …`.
    """

    def __init__(self, what: str, *evidence: str) -> None:
        super().__init__(what, *evidence)
        self.what = what
        self.evidence = evidence


def archive_path(folder: Path, year: int) -> Path:
    """The archive of a year in a folder.

    Raises DataProblem if it is missing, with the years in the folder, or with ways to bring data to
    a cluster if there is no such folder.
    """
    path = folder / f"{year}.tar.gz"
    try:
        if path.is_file():
            return path
        there = years_in(folder) if folder.is_dir() else None
    except OSError as error:
        raise DataProblem(f"{folder} cannot be read", str(error)) from error
    what = f"{year}.tar.gz is not in {folder}"
    if there is None:
        ways = WAYS_TO_A_POD if "KUBERNETES_SERVICE_HOST" in os.environ else ()
        raise DataProblem(what, "that folder does not exist on this Ray node", *ways)
    raise DataProblem(what, years_there(there) if there else "no year's archive is there")


def years_in(folder: Path) -> list[int]:
    """The years whose archives lie in a folder."""
    names = (path.name.removesuffix(".tar.gz") for path in folder.glob("*.tar.gz"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def years_there(years: list[int]) -> str:
    """The years that a source has, as text: of very many the first ones, and how many more."""
    more = len(years) - MOST_YEARS
    listed = f"years there: {ranges(years[:MOST_YEARS])}"
    return f"{listed} and {more:,} more" if more > 0 else listed


def ranges(years: list[int]) -> str:
    """Years as text: runs of three or more are written `first..last`."""
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    texts = [f"{run[0]}..{run[-1]}" if len(run) > 2 else " ".join(map(str, run)) for run in runs]
    return " ".join(texts)
