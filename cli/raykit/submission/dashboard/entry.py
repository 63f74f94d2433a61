"""How a browser gets an address that holds a key, without anybody else seeing it."""

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
    """A page of mode 0600 that leads to an address, while the block lasts.

    A browser is started with the page's name: the argument list of a program is open to every user
    of a machine, and the key in the address would be too.
    """
    folder = Path(tempfile.mkdtemp(prefix="raykit-dashboard-"))
    try:
        page = folder / "open.html"
        with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(PAGE.format(address=html.escape(address)))
        yield page
    finally:
        shutil.rmtree(folder, ignore_errors=True)
