"""Archives as NOAA publishes them, made in memory, and everything that can be wrong with one."""

from __future__ import annotations

import gzip
import io
import tarfile
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

COLUMNS = [
    *("STATION", "DATE", "LATITUDE", "LONGITUDE", "ELEVATION", "NAME"),
    *("TEMP", "TEMP_ATTRIBUTES", "DEWP", "DEWP_ATTRIBUTES", "SLP", "SLP_ATTRIBUTES"),
    *("STP", "STP_ATTRIBUTES", "VISIB", "VISIB_ATTRIBUTES", "WDSP", "WDSP_ATTRIBUTES"),
    *("MXSPD", "GUST", "MAX", "MAX_ATTRIBUTES", "MIN", "MIN_ATTRIBUTES"),
    *("PRCP", "PRCP_ATTRIBUTES", "SNDP", "FRSHTT"),
]
HEADER = ",".join(f'"{name}"' for name in COLUMNS) + "\n"
SHARED = Path(__file__).parents[4] / "shared" / "gsod"


def row(station="72429793812", day="2020-01-01", temp="  70.1", **changes):
    fields = {
        **dict.fromkeys(COLUMNS, " 0.0"),
        "STATION": station,
        "DATE": day,
        "NAME": "SOMEWHERE, OH US",
        "TEMP": temp,
        "MAX": "  80.0",
        "MAX_ATTRIBUTES": " ",
        "FRSHTT": "000000",
    } | changes
    return ",".join(f'"{fields[name]}"' for name in COLUMNS) + "\n"


def days(year=2020, count=366, first=0):
    start = date(year, 1, 1) + timedelta(days=first)
    return [(start + timedelta(days=n)).isoformat() for n in range(count)]


def csv_file(temps, station="72429793812", year=2020, first=0, **changes):
    """One station's file: consecutive days with these TEMP texts."""
    dates = days(year, len(temps), first)
    rows = [row(station, day, temp, **changes) for day, temp in zip(dates, temps, strict=True)]
    return (HEADER + "".join(rows)).encode()


def tar(members):
    """A ustar archive of {name: bytes} or of TarInfo without content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            if isinstance(name, tarfile.TarInfo):
                archive.addfile(name, None if content is None else io.BytesIO(content))
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def packed(members):
    return gzip.compress(tar(members), 6, mtime=0)


@pytest.fixture
def gsod():
    """The makers of rows, files and archives."""
    return SimpleNamespace(
        columns=COLUMNS, header=HEADER, row=row, days=days, csv=csv_file, tar=tar, packed=packed
    )


@pytest.fixture
def year_file(tmp_path):
    """Write the bytes of an archive to 2020.tar.gz and return its path."""

    def write(content, year=2020):
        path = tmp_path / f"{year}.tar.gz"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(scope="session")
def shared_gsod():
    """The folder of real GSOD files, which not every checkout has beside it."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real GSOD files (../shared/gsod) is not there")
    return SHARED
