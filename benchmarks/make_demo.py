"""How long `make demo` takes in a fresh clone: the installation, then the comparison.

python benchmarks/make_demo.py [--runs 3]

The clone is of the last commit. Run it twice for a warm cache of pip.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGINS = "running on "
"""How the first line of the comparison begins."""


def main() -> None:
    """Print the medians of both parts and of the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    timed = [_demo() for _ in range(runs)]
    for name, samples in zip(("installation", "comparison"), zip(*timed, strict=True), strict=True):
        print(f"{name}: {statistics.median(samples):.1f} s (n = {runs})")
    print(f"make demo: {statistics.median(map(sum, timed)):.1f} s (n = {runs})")


def _demo() -> tuple[float, float]:
    """Seconds until the comparison begins, and from there to the end."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", folder]
        subprocess.run(words, check=True)
        began = time.perf_counter()
        with subprocess.Popen(
            ["make", "demo", f"PYTHON={sys.executable}"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as made:
            assert made.stdout is not None
            at = next(time.perf_counter() for line in made.stdout if line.startswith(BEGINS))
            made.stdout.read()
        assert made.returncode == 0
        return at - began, time.perf_counter() - at


if __name__ == "__main__":
    main()
