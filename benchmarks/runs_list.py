"""`raykit runs` over many records: heads alone, against whole records as `runs show` reads one.

python benchmarks/runs_list.py [--records 10000] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pairs import costs, in_turn, report, seconds

SAMPLE = Path(__file__).parents[1] / "tests/data/runs/20261126-100403-fib-a3cb/record.json"
WHOLE = """
from pathlib import Path
from raykit.measure.records import RunsFolder
for name, record in RunsFolder(Path({folder!r})).records():
    print(name, record.status, record.job["name"])
"""


def fill(folder: Path, count: int) -> None:
    """Write records like the sample, a minute apart."""
    data = json.loads(SAMPLE.read_text("utf-8"))
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        began = first + timedelta(minutes=number)
        data["id"] = f"{began:%Y%m%d-%H%M%S}-fib-{number % 65536:04x}"
        data["started"] = began.timestamp()
        own = folder / data["id"]
        own.mkdir()
        (own / "record.json").write_text(json.dumps(data, indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    raykit = str(Path(sys.executable).with_name("raykit"))
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), options.records)
        env = {**os.environ, "RAYKIT_RUNS": folder}
        whole = [sys.executable, "-c", WHOLE.format(folder=folder)]
        ours, theirs = in_turn([raykit, "runs"], whole, options.runs, env)
        print(report(f"{options.records} runs listed, against whole records", ours, theirs))
        last = [seconds([raykit, "runs", "show", "last"], env) for _ in range(options.runs)]
        print(f"raykit runs show last: {statistics.median(last):.3f} s")
        busy = [costs([raykit, "runs"], env)[1] for _ in range(options.runs)]
        print(f"processor time of raykit runs: {statistics.median(busy):.3f} s")


if __name__ == "__main__":
    main()
