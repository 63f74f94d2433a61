"""Change the code at random places, one at a time, and list the changes that no test notices.

python scripts/mutate.py cli/raykit/measure/records.py --tests tests/unit/measure/test_records.py

Needs `pip install cosmic-ray`, in an environment of its own: CI does not use it. Works on a copy of
the tracked files. Exit status 1 where changes survived: a test to write, or code to leave out.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).resolve().parents[1]
ANNOTATIONS = "ReplaceBinaryOperator_BitOr"
"""Turns `str | None` into something else, which nobody evaluates."""


def copied(folder: Path) -> None:
    """Copy the tracked files, as they are now, into a folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def mutations(modules: list[Path]) -> list[MutationSpec]:
    """Every change that cosmic-ray knows for these modules, in their order."""
    with use_db("mutations.sqlite", mode=WorkDB.Mode.create) as db:
        init(modules, db, {})
        found = [item.mutations[0] for item in db.work_items]
    kept = [each for each in found if ANNOTATIONS not in each.operator_name]
    return sorted(kept, key=lambda each: (str(each.module_path), each.start_pos, each.end_pos))


def main() -> int:
    """Run the tests against a sample of changes; print those that survive, and the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, default=50, help="changes to try (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (%(default)s)")
    parser.add_argument("--limit", type=float, default=120, help="seconds a run (%(default)s)")
    given = parser.parse_args()
    command = shlex.join(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *given.tests]
    )
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        copied(Path(name))
        os.chdir(name)
        os.environ["PYTHONPATH"] = f"{name}/cli"
        began = time.monotonic()
        if subprocess.run(shlex.split(command), check=False, capture_output=True).returncode:
            print(f"the tests fail without any change: {command}", file=sys.stderr)
            return 2
        print(f"without any change: {time.monotonic() - began:.1f} s", flush=True)
        found = mutations(given.modules)
        chosen = random.Random(given.seed).sample(found, min(given.sample, len(found)))
        survivors = 0
        for mutation in chosen:
            result = mutate_and_test([mutation], command, given.limit)
            if not result.is_killed:
                survivors += 1
                print(result.diff, flush=True)
    print(f"{len(chosen)} of {len(found)} changes tried, {len(chosen) - survivors} noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
