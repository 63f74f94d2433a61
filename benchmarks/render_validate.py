"""A spec with many worker groups, rendered and validated: whole processes, and how cost grows.

    python benchmarks/render_validate.py [--runs 7]

Prints the seconds of `raykit render` and `raykit validate` with 50 worker groups against `raykit
--help`, the seconds a group from 10 to 1,000 groups, and the seconds of `helm template` with the
largest chart case: 50 groups and 20 jobs.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pairs import in_turn, report, seconds

ROOT = Path(__file__).parents[1]
RAYKIT = str(Path(sys.executable).parent / "raykit")
GROUPS = 50
SIZES = (10, 30, 100, 300, 1000)
JOBS = 20


def spec(groups: int) -> dict[str, Any]:
    """A spec with every group a little different."""
    workers = [
        {
            "name": f"group-{at}",
            "memory": f"{1 + at % 8}Gi",
            "taskCpus": 1 + at % 4,
            "replicas": at % 5,
            "env": {"GROUP": str(at)},
            "nodeSelector": {"pool": f"pool-{at % 3}"},
        }
        for at in range(groups)
    ]
    return {"name": "many", "image": "registry.example.com/ray:1", "head": {"memory": "2Gi"}} | {
        "workers": workers
    }


def written(folder: Path, name: str, data: dict[str, Any]) -> str:
    """The path of a new YAML file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return str(path)


def values() -> dict[str, Any]:
    """The values of the largest chart case."""
    data = spec(GROUPS)
    del data["name"]
    jobs = [
        {"name": f"job-{at}", "job": "fib", "arguments": ["--size", str(at)], "ownCluster": True}
        for at in range(JOBS)
    ]
    return {**data, "jobs": jobs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = written(folder, "many", spec(GROUPS))
        for words in (["render", "-f", many], ["validate", "-f", many]):
            ours, theirs = in_turn([RAYKIT, *words], [RAYKIT, "--help"], runs)
            print(report(f"{words[0]} with {GROUPS} groups against --help", ours, theirs))
        for command in ("render", "validate"):
            growth(command, {size: written(folder, str(size), spec(size)) for size in SIZES}, runs)
        if shutil.which("helm"):
            chart(written(folder, "values", values()), runs)
        else:
            print("helm is not on PATH: the chart is left out")


def growth(command: str, files: dict[int, str], runs: int) -> None:
    """Print the seconds of each size, and the seconds of a further group between two sizes."""
    taken: dict[int, list[float]] = {size: [] for size in files}
    for _ in range(runs):
        for size, path in files.items():
            taken[size].append(seconds([RAYKIT, command, "-f", path]))
    medians = {size: statistics.median(samples) for size, samples in taken.items()}
    parts = [f"{size}: {median:.3f} s" for size, median in medians.items()]
    print(f"{command}, groups and seconds: {', '.join(parts)}")
    sizes = list(medians)
    slopes = [
        1000 * (medians[more] - medians[less]) / (more - less) for less, more in pairwise(sizes)
    ]
    print(f"{command}, ms a further group: {', '.join(f'{slope:.2f}' for slope in slopes)}")


def chart(path: str, runs: int) -> None:
    """Print the seconds of `helm template` with the largest chart case."""
    words = ["helm", "template", "many", str(ROOT / "charts" / "raykit"), "-f", path]
    ours, theirs = in_turn(words, ["helm", "version"], runs)
    print(report(f"helm template, {GROUPS} groups and {JOBS} jobs, against helm version",
                 ours, theirs))  # fmt: skip


if __name__ == "__main__":
    main()
