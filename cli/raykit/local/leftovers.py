"""Processes of raykit that its end left behind: of local heads that are dead, and port-forwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raykit import checks, processes
from raykit.checks import Check
from raykit.errors import MissingError
from raykit.local import folders

NAME = "leftovers"
LISTING = ("ps", "-U", "{user}", "-ww", "-o", "pid=,ppid=,command=")
HEAD_FOLDER = re.compile(rf"=(/[^\s=]*/{folders.PREFIX}\w{{8}})/{folders.RAY_FOLDER}\b")
"""In the options of Ray's own processes; an editor or `tail` names the folder without `=`."""
FORWARD = re.compile(r"kubectl\S* --context .+ port-forward --address 127\.0\.0\.1 service/")
LONGEST = 70
MOST_SHOWN = 5
ADOPTERS = ("init", "systemd", "launchd")
"""Programs that become the parent of a process whose parent has ended."""


@dataclass(frozen=True)
class Process:
    """A running process. command: its arguments, joined by spaces."""

    pid: int
    parent: int
    command: str


def check(user: int) -> Check:
    """Whether processes of raykit are left whose raykit has ended. user: whose processes."""
    try:
        words = [word.format(user=user) for word in LISTING]
        listed = processes.run(words, timeout=10, error=MissingError)
    except MissingError as error:
        return checks.skipped(NAME, f"processes cannot be listed: {error.what}", error.evidence)
    left = orphans(parsed(listed.stdout), lambda folder: folders.is_locked(Path(folder)))
    if not left:
        return checks.ok(NAME, "no process of an earlier raykit is left")
    lines = [f"{process.pid} {process.command[:LONGEST]}" for process in left[:MOST_SHOWN]]
    more = [f"and {len(left) - MOST_SHOWN} more"] if len(left) > MOST_SHOWN else []
    what = f"{len(left)} processes of an earlier raykit are left"
    command = " ".join(["kill", *(str(process.pid) for process in left)])
    return checks.warning(NAME, what, [*lines, *more], command)


def parsed(listing: str) -> list[Process]:
    """The processes of a listing by `ps`; lines of another form are left out."""
    matches = (re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(.+)", line) for line in listing.split("\n"))
    return [Process(int(found[1]), int(found[2]), found[3]) for found in matches if found]


def orphans(running: Sequence[Process], is_locked: Callable[[str], bool]) -> list[Process]:
    """Processes of local heads that are dead, and port-forwards whose raykit has ended.

    is_locked: whether the head of a folder runs.
    """
    by_pid = {process.pid: process for process in running}
    dead = {folder for process in running if (folder := _folder(process)) and not is_locked(folder)}
    return [
        process
        for process in running
        if _folder(process) in dead
        or (FORWARD.search(process.command) and _is_adopted(process, by_pid))
    ]


def _folder(process: Process) -> str | None:
    """The folder of the local head that a process belongs to, by its arguments."""
    match = HEAD_FOLDER.search(process.command)
    return match[1] if match else None


def _is_adopted(process: Process, by_pid: Mapping[int, Process]) -> bool:
    """Whether the process that started it has ended."""
    parent = by_pid.get(process.parent)
    if parent is None or parent.pid == 1:
        return True
    return Path(parent.command.split()[0]).name in ADOPTERS
