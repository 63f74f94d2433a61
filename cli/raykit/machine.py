"""The machine that raykit itself runs on, as a run record describes it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """CPU model and count, memory in bytes, load of the last minute, platform and boot id.

    A value that cannot be read is None.
    """
    return {
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "load": _load(),
        "platform": platform.platform(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id").strip() or None,
    }


def _cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return match.group(1) if match else platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
