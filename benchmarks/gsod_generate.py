"""Make full-size synthetic GSOD years: station ids and sizes of a real listing, invented weather.

    python benchmarks/gsod_generate.py LISTING TO --years 1980 2020 --irregular 3

LISTING is a copy of NCEI's `access/2020/` directory: one line per station file with its name and
its size in K. 2020 gets all of its stations, earlier years fewer (1980: 7,900, as many rows as NOAA
has for it). Layout, columns, padding, missing values, gaps and compressibility are NOAA's; the same
arguments give the same bytes. One year of 12,298 stations takes about a minute and a half. With
--irregular, so many files in a hundred have something odd: the station moved, so that its lines
change length once; a temperature is out of range; or one line is longer than the others.
"""

from __future__ import annotations

import argparse
import gzip
import io
import math
import random
import re
import sys
import tarfile
from datetime import date, timedelta
from pathlib import Path

HEADER = (
    '"STATION","DATE","LATITUDE","LONGITUDE","ELEVATION","NAME","TEMP","TEMP_ATTRIBUTES","DEWP",'
    '"DEWP_ATTRIBUTES","SLP","SLP_ATTRIBUTES","STP","STP_ATTRIBUTES","VISIB","VISIB_ATTRIBUTES",'
    '"WDSP","WDSP_ATTRIBUTES","MXSPD","GUST","MAX","MAX_ATTRIBUTES","MIN","MIN_ATTRIBUTES","PRCP",'
    '"PRCP_ATTRIBUTES","SNDP","FRSHTT"\n'
)
ROW_BYTES = 236
FULL_YEAR, GROWTH = 2020, 110
COUNTRIES = ("US", "CA", "NO", "AS", "IN", "BR", "GM", "RS", "CH", "JA")
FLAGS = ("000000", "000000", "000000", "010000", "100000", "011000", "010010")


def read_listing(path: Path) -> list[tuple[str, int]]:
    """(station id, size in K) of each line that names a station's file."""
    lines = re.findall(r"^(\w{11})\.csv\s.*?(\d+)K\s*$", path.read_text("utf-8"), re.MULTILINE)
    return [(name, int(size)) for name, size in lines]


def stations_of(year: int, listing: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The stations of a year: all of them in 2020, every year before loses the same number."""
    wanted = max(1, len(listing) - GROWTH * max(0, FULL_YEAR - year))
    keep = random.Random(7).sample(range(len(listing)), wanted)
    return [listing[index] for index in sorted(keep)]


def station_csv(station: str, kilobytes: int, year: int) -> bytes:
    """One station's year: a seasonal curve with weather on top, in NOAA's layout."""
    luck = random.Random(f"{station} {year}")
    rows = max(1, min(366, kilobytes * 1024 // ROW_BYTES))
    place = (
        f'"{luck.uniform(-60, 80):.{luck.choice((3, 5, 7))}f}",'
        f'"{luck.uniform(-180, 180):.{luck.choice((3, 5, 7))}f}","{luck.uniform(0, 2000):.1f}",'
        f'"STATION {station[:6]} {luck.choice(("AIRPORT", "FIELD", "CITY", "LIGHT"))}, '
        f'{luck.choice(COUNTRIES)}"'
    )
    mean, swing, weather = luck.gauss(55, 18), luck.uniform(4, 28), 0.0
    pressure = luck.random() < 0.7
    observations = luck.choice(("24", "24", " 8", "23"))
    lines = [HEADER]
    for number in _days(luck, rows, year):
        weather = 0.7 * weather + luck.gauss(0, 4)
        season = math.cos((number - 200) / 365 * 2 * math.pi)
        temp = mean + swing * season + weather
        day = date(year, 1, 1) + timedelta(days=number)
        lines.append(
            f'"{station}","{day}",{place},{_weather(luck, temp, pressure, observations)}\n'
        )
    return "".join(lines).encode()


def irregular(content: bytes, luck: random.Random) -> bytes:
    """A station's file with one of three oddities, at a random line."""
    lines = content.splitlines(keepends=True)
    at = luck.randrange(1, len(lines))
    fields = lines[at].split(b'","')
    kind = luck.choice(("moved", "value", "line"))
    if kind == "moved":
        name, moved = fields[5], b"NEW " + fields[5]
        lines[at:] = [line.replace(name, moved, 1) for line in lines[at:]]
    else:
        column, odd = (6, b" 999.9") if kind == "value" else (4, fields[4] + b"0")
        lines[at] = b'","'.join([*fields[:column], odd, *fields[column + 1 :]])
    return b"".join(lines)


def _days(luck: random.Random, rows: int, year: int) -> list[int]:
    there = 365 + (year % 4 == 0)  # GSOD begins in 1929: no century without a leap day
    rows = min(rows, there)
    days = list(range(there))
    missing = there - rows
    # Stations are silent for a while at a time: real files have 1 to 80 runs of days, mostly few.
    for left in range(luck.choice((1, 1, 2, 3, 5, 10, 30, 80)), 0, -1):
        gap = min(missing, missing if left == 1 else luck.randint(0, 2 * missing // left))
        first = luck.randrange(len(days) - gap + 1)
        del days[first : first + gap]
        missing -= gap
    return days


def _weather(luck: random.Random, temp: float, pressure: bool, count: str) -> str:
    spread = luck.uniform(3, 15)
    dew = temp - luck.uniform(2, 20)
    wind = abs(luck.gauss(6, 4))
    slp = f"{luck.gauss(1014, 8):6.1f}" if pressure else "9999.9"
    stp = f"{luck.uniform(800, 999.8):05.1f}" if pressure else "999.9"
    used = count if pressure else " 0"
    highest = "9999.9" if luck.random() < 0.005 else f"{temp + spread:6.1f}"
    gust = f"{wind * 2.5:5.1f}" if luck.random() < 0.4 else "999.9"
    return (
        f'"{temp:6.1f}","{count}","{dew:6.1f}","{count}","{slp}","{used}","{stp}","{used}",'
        f'"{luck.choice((10.0, 9.9, 7.2, 999.9)):5.1f}","{count}","{wind:5.1f}","{count}",'
        f'"{wind * 1.8:5.1f}","{gust}","{highest}","{luck.choice(" *")}",'
        f'"{temp - spread:6.1f}","{luck.choice(" *")}",'
        f'"{luck.choice((0.0, 0.0, 0.0, 0.01, 0.12, 99.99)):5.2f}","{luck.choice("G I")}",'
        f'"999.9","{luck.choice(FLAGS)}"'
    )


def write_year(year: int, stations: list[tuple[str, int]], to: Path, odd_percent: float) -> None:
    """Write `<year>.tar.gz` in NOAA's layout and say what is in it."""
    rows = odd = 0
    path = to / f"{year}.tar.gz"
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for station, kilobytes in stations:
            content = station_csv(station, kilobytes, year)
            luck = random.Random(f"odd {station} {year}")
            if 100 * luck.random() < odd_percent:
                content, odd = irregular(content, luck), odd + 1
            member = tarfile.TarInfo(f"{station}.csv")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            rows += content.count(b"\n") - 1
    print(f"{path.name}: {rows:,} rows, {path.stat().st_size:,} bytes, {odd:,} irregular files")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("listing", type=Path)
    parser.add_argument("to", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--stations", type=int, help="take only the first so many of each year")
    parser.add_argument("--irregular", type=float, default=0.0, metavar="PERCENT")
    options = parser.parse_args()
    listing = read_listing(options.listing)
    if not listing:
        parser.error(f"{options.listing} names no station file")
    options.to.mkdir(parents=True, exist_ok=True)
    for year in options.years:
        stations = stations_of(year, listing)[: options.stations]
        write_year(year, stations, options.to, options.irregular)
    return 0


if __name__ == "__main__":
    sys.exit(main())
