"""The archives in a folder: one `<year>.tar.gz` for each year."""

from __future__ import annotations

from pathlib import Path

from jobs.gsod.problem import DataProblem


def archive_path(folder: Path, year: int) -> Path:
    """The archive of a year in a folder.

    Raises DataProblem, listing the years that are there, where it is missing.
    """
    path = folder / f"{year}.tar.gz"
    if path.is_file():
        return path
    there = years_in(folder)
    listed = "years there: " + ranges(there) if there else "no year's archive is there"
    looked = listed if folder.is_dir() else "that folder does not exist on this Ray node"
    raise DataProblem(f"{year}.tar.gz is not in {folder}", looked)


def years_in(folder: Path) -> list[int]:
    """The years whose archives lie in a folder."""
    names = (path.name.removesuffix(".tar.gz") for path in folder.glob("*.tar.gz"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


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
