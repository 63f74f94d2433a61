"""Gather Ray's log files of every Ray node, the telling ones first, and the end of each."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from raykit.measure.keeping.evidence import Collection
from raykit.measure.keeping.tails import MOST_LINES, MOST_LOG, Tail, whole_lines
from raykit.progress import Attempt
from raykit.submission.answers.fields import as_list, as_object
from raykit.submission.jobs_api import JobsApi

MOST_OF_A_NODE = 100
MOST_NODES = 50
SMALL_BYTES = 8 << 20
RANKS = (
    re.compile(r"raylet\.|gcs_server\.|monitor\.|dashboard\.log|dashboard_agent|runtime_env"),
    re.compile(r"job-driver-"),
    re.compile(r"worker-.*\.(err|out)$"),
)
"""Which files come first, by their names."""
DRIVER_LOG = re.compile(r"job-driver-(.+)\.log")


def step(api: JobsApi, job_ids: Sequence[str], into: Collection) -> Attempt:
    """The step that finds the log files of all Ray nodes; a step for each file follows.

    Nodes that are dead or do not answer are noted as missing. job_ids: Ray's ids of the jobs whose
    workers' logs come first.
    """
    return Attempt("Ray's log files", lambda: _nodes(api, job_ids, into))


def _nodes(api: JobsApi, job_ids: Sequence[str], into: Collection) -> Iterator[Attempt]:
    nodes = api.nodes()
    for node in nodes[:MOST_NODES]:
        folder, node_id = _folder(node), str(node["node_id"])
        if node["state"] != "ALIVE":
            into.miss(f"log files of {folder}: the Ray node is {node['state'].lower()}")
            continue
        files = partial(_of_node, api, node_id, folder, job_ids, into)
        yield Attempt(f"log files of {folder}", files)
    if len(nodes) > MOST_NODES:
        into.miss(f"log files of {len(nodes) - MOST_NODES} more Ray nodes: there are too many")


def ranked(names: Sequence[str], job_ids: Sequence[str]) -> list[str]:
    """Log files in the order in which they are gathered; folders are left out."""

    def rank(name: str) -> tuple[int, bool, str]:
        place = next((index for index, kind in enumerate(RANKS) if kind.search(name)), len(RANKS))
        return place, not any(job_id in name for job_id in job_ids), name

    return sorted((name for name in names if not name.endswith("/")), key=rank)


def _folder(node: Mapping[str, Any]) -> str:
    """The name of a node's folder: its role, its address and the beginning of its Ray id."""
    role = "head" if node.get("is_head_node") else "worker"
    return f"{role}-{node.get('node_ip') or 'unknown'}-{node['node_id'][:8]}"


def _of_node(
    api: JobsApi, node_id: str, folder: str, job_ids: Sequence[str], into: Collection
) -> Iterator[Attempt]:
    names = ranked(_names(api, node_id), job_ids)
    for name in names[MOST_OF_A_NODE:]:
        into.note_cut(f"nodes/{folder}/{name}", "left out: the node has too many files")
    for name in names[:MOST_OF_A_NODE]:
        driver = DRIVER_LOG.fullmatch(name)
        place = f"jobs/{driver[1]}/driver.log" if driver else f"nodes/{folder}/{name}"
        yield Attempt(place, partial(_take, api, node_id, name, place, into))


def _names(api: JobsApi, node_id: str) -> list[str]:
    """The log files of a node, whatever Ray's categories are."""
    listed = api.as_it_is("api/v0/logs", most=SMALL_BYTES, params={"node_id": node_id})
    try:
        groups = as_object(as_object(as_object(listed).get("data")).get("result"))
        return [str(name) for group in groups.values() for name in as_list(group)]
    except ValueError:
        return []


def _take(api: JobsApi, node_id: str, name: str, place: str, into: Collection) -> None:
    """Take the end of one log file, as far as time allows."""
    tail, late = Tail(MOST_LOG), False
    until = min(into.deadline, time.monotonic() + api.transport.answer_seconds)
    with api.log_end(node_id, name, MOST_LINES) as chunks:
        for chunk in chunks:
            tail.add(chunk)
            if late := time.monotonic() > until:
                break
    data = whole_lines(tail.data()) if late else tail.data()
    cut = "no time was left for the rest" if late else _cut(tail, data)
    into.add_log(place, data, cut)


def _cut(tail: Tail, data: bytes) -> str:
    """What a log lacks; empty if nothing."""
    if tail.is_cut:
        return f"the last {len(data):,} bytes"
    if data.count(b"\n") >= MOST_LINES:
        return f"the last {MOST_LINES:,} lines"
    return ""
