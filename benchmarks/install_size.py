"""What a first install brings and takes: Ray alone against raykit with Ray.

python benchmarks/install_size.py [--runs 1]

Each in a new environment, in turn, with the same constraints and from the same index. The second is
what `make demo` installs. After the first round the packages come from pip's cache.
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
ARMS = {
    "Ray alone": ["ray[default]==2.60.*"],
    "raykit with Ray": [f"{ROOT}[local]"],
    "raykit with Ray and the readers of gsod": [f"{ROOT}[local,gsod]"],
    "raykit without Ray": [str(ROOT)],
}


def main() -> None:
    """Print size and seconds of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    runs = parser.parse_args().runs
    installed = [{name: _install(words) for name, words in ARMS.items()} for _ in range(runs)]
    for name in ARMS:
        fetched, sizes, packages, seconds = zip(*(one[name] for one in installed), strict=True)
        print(
            f"{name}: {fetched[-1] / 1e6:.0f} MB to download, {sizes[-1] / 1e6:.0f} MB on disk, "
            f"{packages[-1]} packages, {statistics.median(seconds):.1f} s (n = {runs})"
        )


def _install(words: list[str]) -> tuple[int, int, int, float]:
    """Bytes of the wheels, bytes on disk beyond the empty environment, packages, seconds of pip."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        before, packages = _size(Path(folder)), _packages(Path(folder))
        pip = [f"{folder}/bin/pip", "--quiet", "--disable-pip-version-check"]
        constraint = ["--constraint", str(ROOT / "constraints.txt")]
        began = time.perf_counter()
        subprocess.run([*pip, "install", *constraint, *words], check=True)
        seconds = time.perf_counter() - began
        size, count = _size(Path(folder)) - before, _packages(Path(folder)) - packages
        wheels = Path(folder) / "wheels"
        subprocess.run([*pip, "download", "--dest", str(wheels), *constraint, *words], check=True)
        return _size(wheels), size, count, seconds


def _size(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def _packages(folder: Path) -> int:
    return len(list(folder.glob("lib/*/site-packages/*.dist-info")))


if __name__ == "__main__":
    main()
