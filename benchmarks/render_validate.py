"""A spec with many worker groups, rendered and validated: whole processes, and how cost grows.

    python benchmarks/render_validate.py [--runs 7]

Prints the seconds of `raykit render` and `raykit validate` with 50 worker groups against `raykit
--help`, how they grow from 10 to 1,000 groups, and the seconds of `helm template` with the largest
chart case: 50 groups, and 20 jobs with clusters of their own. Beside wall time stands the processor
time of the process, which a busy machine changes less.
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
from pairs import costs, spread

ROOT = Path(__file__).parents[1]
RAYKIT = str(Path(sys.executable).parent / "raykit")
GROUPS = 50
SIZES = (10, 30, 100, 300, 1000)
JOBS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {size: written(folder, str(size), spec(size)) for size in (GROUPS, *SIZES)}
        commands = {
            "raykit --help": [RAYKIT, "--help"],
            f"raykit render, {GROUPS} groups": [RAYKIT, "render", "-f", sizes[GROUPS]],
            f"raykit validate, {GROUPS} groups": [RAYKIT, "validate", "-f", sizes[GROUPS]],
        }
        if shutil.which("helm"):
            chart = str(ROOT / "charts" / "raykit")
            given = written(folder, "values", values())
            commands |= {
                "helm version": ["helm", "version"],
                f"helm template, {GROUPS} groups, {JOBS} jobs": [
                    *("helm", "template", "many", chart, "-f", given)
                ],
            }
        for what, (wall, processor) in in_rounds(commands, runs).items():
            print(f"{what}: {spread(wall)}, processor {spread(processor)}, n = {runs}")
        for command in ("render", "validate"):
            growth(command, {size: sizes[size] for size in SIZES}, runs)


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
    head = {"memory": "2Gi"}
    return {"name": "many", "image": "registry.example.com/ray:1", "head": head, "workers": workers}


def values() -> dict[str, Any]:
    """The values of the largest chart case."""
    data = spec(GROUPS)
    del data["name"]
    # The chart's own values give the head task CPUs; null takes them away.
    data["head"] = {**data["head"], "taskCpus": None}
    jobs = [
        {"name": f"job-{at}", "job": "fib", "arguments": ["--size", str(at)], "ownCluster": True}
        for at in range(JOBS)
    ]
    return {**data, "jobs": jobs}


def written(folder: Path, name: str, data: dict[str, Any]) -> str:
    """The path of a new YAML file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return str(path)


def in_rounds(
    commands: dict[str, list[str]], runs: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Wall and processor seconds of each command, all commands in turn, after one warm-up."""
    taken: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what in commands}
    for at in range(runs + 1):
        for what, argv in commands.items():
            wall, processor = costs(argv)
            if at:
                taken[what][0].append(wall)
                taken[what][1].append(processor)
    return taken


def growth(command: str, files: dict[int, str], runs: int) -> None:
    """Print the processor seconds of each size, and those of a further group between two sizes."""
    commands = {str(size): [RAYKIT, command, "-f", path] for size, path in files.items()}
    medians = {
        int(size): statistics.median(processor)
        for size, (_, processor) in in_rounds(commands, runs).items()
    }
    parts = [f"{size}: {median:.3f} s" for size, median in medians.items()]
    print(f"{command}, processor seconds by groups: {', '.join(parts)}")
    slopes = [
        f"{1000 * (medians[more] - medians[less]) / (more - less):.2f}"
        for less, more in pairwise(medians)
    ]
    print(f"{command}, ms of processor time a further group: {', '.join(slopes)}")


if __name__ == "__main__":
    main()
