"""`raykit --help` against `ray --help`: what a command costs before it does anything.

python benchmarks/help_startup.py [--runs 15]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pairs import in_turn, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    scripts = Path(sys.executable).parent
    ours, theirs = in_turn(
        [str(scripts / "raykit"), "--help"], [str(scripts / "ray"), "--help"], runs
    )
    print(report("raykit --help against ray --help", ours, theirs))


if __name__ == "__main__":
    main()
