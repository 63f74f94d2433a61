"""Gives a browser an address that holds a key, without showing it to other users."""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Ray's dashboard</title>
<p>This page leads to <a href="{address}">Ray's dashboard</a>.</p>
"""


@contextlib.contextmanager
def redirect_file(address: str) -> Iterator[Path]:
    """A page that only its owner can read and that leads to an address; removed after the block.

    The browser is started with the page's name instead of the address: every user of a machine can
    read the arguments of its programs.
    """
    folder = Path(tempfile.mkdtemp(prefix="raykit-dashboard-"))
    try:
        page = folder / "open.html"
        with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(PAGE.format(address=html.escape(address)))
        yield page
    finally:
        shutil.rmtree(folder, ignore_errors=True)
