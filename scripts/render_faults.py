"""Make docs/faults.md of what the tests measured.

    RAYKIT_FAULTS_TABLE=rows.jsonl pytest tests/kind tests/unit/faults   appends rows
    python scripts/render_faults.py rows.jsonl                           writes the page

Of a case that was measured several times, the last row counts. Ends with 1 if a wait was silent for
longer than 20 s.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
MOST_SILENT = 20.0
MOST_LINES, LONGEST = 4, 110
WORST = 5
WITHOUT_ROW = {
    "Environment and cluster": {
        "several files in KUBECONFIG": "no fault: they are merged as kubectl merges them "
        "(`tests/unit/kube/test_kubeconfig.py`)",
        "the operator's version or feature gates do not fit": "a warning of `raykit validate` and "
        "`raykit doctor` before anything runs (`tests/unit/manifests/judging/test_kuberay.py`, "
        "`tests/unit/app/test_doctor.py`)",
        "`raykit kind up` was killed half-way": "the next one completes it "
        "(`tests/kind/test_kind_up.py`)",
        "a kind cluster or a RayCluster of that name is somebody else's": "refused at once "
        "(`tests/kind/test_kind_up.py`, `tests/kind/test_whose_cluster.py`)",
        "two `up` at once": "the second one waits, and says for whom "
        "(`tests/kind/test_whose_cluster.py`, `tests/kind/test_kind_up.py`)",
        "inotify limits, little disk or memory": "warnings of `raykit doctor`, with the command "
        "that raises the limit (`tests/unit/containers/checks/test_machine.py`)",
        "a local port is taken": "no fault: raykit takes a free one "
        "(`tests/unit/local/test_supervisor.py`)",
        "loopback is IPv6": "no fault (`tests/unit/kube/test_connection.py`)",
    },
    "Pods and scheduling": {
        "raykit's own image is not on the nodes": "refused before anything is applied "
        "(`tests/kind/test_up.py`)",
        "taints, node selectors, GPUs": "said as *no Kubernetes node is large enough* is "
        "(`tests/unit/kuberay/test_scheduling.py`)",
        "the dashboard is not ready though its pod is": "no fault: the head is asked until it "
        "answers, and 401 and 403 count (`tests/unit/kuberay/test_reach.py`)",
        "the head restarts with GCS fault tolerance": "its jobs end as without it, since their "
        "drivers ran there (`tests/kind/test_faults_while_following.py`)",
        "a worker process is killed": "Ray starts the task again, and the record says so "
        "(`tests/local/test_survival.py`, `tests/local/test_job_gsod_faults.py`)",
        "an actor is killed while it loads": "it loads again, or there is no answer "
        "(`tests/local/test_job_gsod_faults.py`)",
    },
}
"""Cases without a row, by section: what becomes of each, and the test."""
HEAD = """# Faults, and what raykit says of them

Made by `scripts/render_faults.py` from a run of the tests themselves (`tests/faults.py` says how;
two cores, shared with other work). *Seconds* count from the command's start, or from the fault
where it strikes while raykit follows a job, until raykit has ended. *Silent* is the longest time in
between in which the terminal showed no new word. *Where* says what was real: a kind cluster, or a
small HTTP server that speaks the Kubernetes API, or this machine's own tools. Where the command
goes on to a good end (exit 0), its words about the fault are shown, if there are any.
"""
UNDER_FIRE = """
## Faults at random

`tests/kind/test_chaos.py` (`make soak`) submits a short job again and again to a RayCluster with
two workers, and kills something at a random moment of each submission: a pod with no time to end,
a Kubernetes node as by a power cut, the API server's process. A witness outside the cluster counts
the drivers that start and end. With exit 5 nothing was sent. With 6 nobody knows whether the head
has the job, and its record stays UNFINISHED. With 20 the head was lost: nobody can say any more how
the driver ended, and raykit does not. It counts as wrong if a driver had ended over 3 s before.

It cannot see a driver that dies before its first request, nor tasks that Ray tries again, which it
may. One fault strikes at a time, and the next submission waits until the cluster is whole again.
"""
RUN = """
{submits} submits in {minutes} minutes (seed {seed}; two shared cores). Lost, run twice or
ended with a wrong exit code: {wrong}. Faults that came only after raykit had ended: {late}.
Drivers that ran to their end although their head was lost: {unseen}.
"""


def main(path: Path) -> int:
    lines = path.read_text("utf-8").splitlines()
    rows = read(lines)
    PAGE.write_text(page(rows, chaos(lines)), "utf-8")
    late = [row["case"] for row in rows if row["silent"] > MOST_SILENT]
    for case in late:
        print(f"silent for more than {MOST_SILENT:g} s: {case}")
    return 1 if late else 0


def read(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The rows, one a case, in the order of their first appearance."""
    rows: dict[str, dict[str, Any]] = {}
    for line in lines:
        row = json.loads(line)
        if "case" in row:
            rows[row["case"]] = row
    return list(rows.values())


def chaos(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The figures of the last run under random faults of each seed (`tests/kind/test_chaos.py`)."""
    runs = [row["chaos"] for row in map(json.loads, lines) if "chaos" in row]
    return list({run["seed"]: run for run in runs}.values())


def page(rows: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]] = ()) -> str:
    parts = [HEAD, worst(rows)]
    for section in dict.fromkeys(row["section"] for row in rows):
        parts += [f"\n## {section}\n", *table(row for row in rows if row["section"] == section)]
        parts += ["\nWithout a row:\n", *without_row(section)]
    if runs:
        parts.append(UNDER_FIRE.rstrip())
    for run in runs:
        parts += [RUN.format_map(run), *under_fire(run["faults"])]
    return "\n".join(parts).rstrip() + "\n"


def worst(rows: Sequence[Mapping[str, Any]]) -> str:
    slowest = sorted(rows, key=lambda row: -row["seconds"])[:WORST]
    quietest = max(rows, key=lambda row: row["silent"])
    named = "; ".join(f"{row['case']} ({row['seconds']:.1f} s)" for row in slowest)
    return (
        f"{len(rows)} cases. The slowest: {named}. The longest silence: {quietest['silent']:.1f} s "
        f"({quietest['case']})."
    )


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| case | where | seconds | silent | exit | what it says |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in rows:
        said = "<br>".join(map(cell, shortened(row))) or "no error"
        lines.append(
            f"| {cell(row['case'])} | {row['where']} | {row['seconds']:.1f} | {row['silent']:.1f} "
            f"| {row['code']} | {said} |"
        )
    return lines


def under_fire(faults: Mapping[str, Mapping[str, int]]) -> list[str]:
    """How many submits ended with each exit code, a row for each thing that was killed."""
    codes = sorted(
        {code for ends in faults.values() for code in ends}, key=lambda code: code.zfill(4)
    )
    lines = [
        " | ".join(["| killed | submits", *(f"exit {code}" for code in codes)]) + " |",
        "|---|---:|" + "---:|" * len(codes),
    ]
    for fault, ends in faults.items():
        counts = [sum(ends.values()), *(ends.get(code, "") for code in codes)]
        lines.append(f"| {fault} | {' | '.join(map(str, counts))} |")
    return lines


def without_row(section: str) -> list[str]:
    return [f"- {case}: {why}" for case, why in WITHOUT_ROW.get(section, {}).items()]


def shortened(row: Mapping[str, Any]) -> list[str]:
    """What, the first evidence, and what to run next."""
    lines = list(map(nameless, row["says"]))
    last = [line for line in lines if line.startswith("next: ")][:1]
    first = [line for line in lines if not line.startswith("next: ")][: MOST_LINES - len(last)]
    return [line[:LONGEST] + ("…" if len(line) > LONGEST else "") for line in [*first, *last]]


def nameless(text: str) -> str:
    """A line in which names that change with every run are replaced."""
    text = re.sub(r"\bt-[a-z0-9-]+-[0-9a-f]{4}\b", "NAMESPACE", text)
    text = re.sub(r"(?<!/)/(?:tmp|home|root|work)/\S+?(?=[\s:,;)]|$)", "PATH", text)
    return re.sub(r"\b\d{8}-\d{6}-([\w-]+?)-[0-9a-z]{4}(?![\w-])", r"RUN-\1", text)


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return re.sub(r"([|<>*_`\\])", r"\\\1", text)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
