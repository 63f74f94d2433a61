"""How long a shell waits for the candidates of raykit, beside those of kubectl.

python benchmarks/completion.py [--context CONTEXT] [--runs 15]

With --context also what is asked of its API server: namespaces, and RayClusters of all namespaces.
kubectl's own completion of namespaces is the other side of that. Two lines each: seconds that a
shell waits, and seconds of processors, which a busy machine hardly changes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from pairs import costs, report

RAYKIT = [str(Path(sys.executable).parent / "raykit"), "__complete", "zsh"]
AT_HOME = {
    "commands": [""],
    "jobs": ["submit", ""],
    "options": ["submit", "--"],
    "runs": ["runs", "show", ""],
    "contexts": ["submit", "--context", ""],
}
OF_API_SERVER = {
    "namespaces": ["submit", "-n", ""],
    "clusters": ["submit", "--on", ""],
}


def main() -> None:
    """Print a line for each kind of name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    kubectl = shutil.which("kubectl") or sys.exit("kubectl is not on PATH")
    theirs = [kubectl, "__complete", "config", "use-context", ""]
    for name, words in AT_HOME.items():
        _compare(f"{name}, against kubectl's contexts", words, theirs, options.runs)
    if options.context:
        of = ["--context", options.context]
        theirs = [kubectl, "__complete", *of, "get", "pods", "-n", ""]
        for name, words in OF_API_SERVER.items():
            ours = [words[0], *of, *words[1:]]
            _compare(f"{name}, against kubectl's namespaces", ours, theirs, options.runs)


def _compare(name: str, ours: list[str], theirs: list[str], runs: int) -> None:
    """Print both sides in turn, after one run of each to warm up."""
    costs([*RAYKIT, *ours])
    costs(theirs)
    pairs = [(costs([*RAYKIT, *ours]), costs(theirs)) for _ in range(runs)]
    for unit, at in (("waited", 0), ("processors", 1)):
        print(report(f"{name}, {unit}", [a[at] for a, _ in pairs], [b[at] for _, b in pairs]))


if __name__ == "__main__":
    main()
