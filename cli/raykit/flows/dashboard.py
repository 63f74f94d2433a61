"""`raykit dashboard`: Ray's dashboard in a browser, until the user ends it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Callable

from raykit.errors import INTERRUPTS
from raykit.flows import known_jobs
from raykit.flows.targets.where import Where
from raykit.progress import Progress
from raykit.submission.dashboard import proxy as dashboard_proxy
from raykit.submission.dashboard.entry import redirect_file


def show(
    where: Where, progress: Progress, announce: Callable[[str], None], *, browser: bool = True
) -> None:
    """Serve a head's dashboard on this machine until Ctrl-C or SIGTERM.

    announce: gets the address, which works once. browser: also open a browser.

    Errors: those of choosing and reaching a head (2, 4, 5, 6).
    """
    with known_jobs.connect(where, progress) as head:
        head.api.version()
        progress.note(head.target.reason)
        with dashboard_proxy.serve(head.api.transport) as proxy, contextlib.ExitStack() as pages:
            try:  # its reader may end this command as soon as the address is printed
                announce(proxy.address)
                if browser and not _opens_page(proxy.address, pages):
                    progress.note("no browser could be opened here: open the address yourself")
                threading.Event().wait()
            except INTERRUPTS:
                progress.note("the dashboard's address is closed")


def _opens_page(address: str, pages: contextlib.ExitStack) -> bool:
    """Open a browser with a page that leads to the address; whether that worked.

    pages: the page is removed with it.
    """
    try:
        return _open(pages.enter_context(redirect_file(address)).as_uri())
    except OSError:
        return False


def _open(address: str) -> bool:
    """Open a browser with a window; return False if there is only one for the terminal."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    return webbrowser.open(address)
