"""Build the sample of real GSOD data that ships with the jobs, from NOAA's CSV files.

    python scripts/make_gsod_sample.py FOLDER [--to jobs/data/gsod]

FOLDER holds `<year>/<station>.csv` as NOAA publishes them. Only two stations in the United States
are taken: NOAA restricts passing on those of other countries. The same files give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
import tarfile
from pathlib import Path

STATIONS = ("72429793812", "99495199999")
YEARS = range(2015, 2025)


def build(files: list[Path]) -> bytes:
    """A `.tar.gz` in NOAA's layout: one ustar member per station at the root, times 0."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            member = tarfile.TarInfo(path.name)
            member.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(member, content)
    return gzip.compress(tar.getvalue(), compresslevel=9, mtime=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, default=Path("jobs/data/gsod"))
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for year in YEARS:
        wanted = [options.folder / str(year) / f"{station}.csv" for station in STATIONS]
        files = [path for path in wanted if path.is_file()]
        if not files:
            parser.error(f"no file of the stations in {options.folder / str(year)}")
        archive = build(files)
        (options.to / f"{year}.tar.gz").write_bytes(archive)
        print(f"{year}.tar.gz: {len(files)} stations, {len(archive):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
