"""Take the screenshots of docs/tutorial.md: the dashboard while fib runs, the report of a run.

    raykit up --on local
    python scripts/take_pictures.py             # docs/pictures/dashboard.png and report.png

It needs Chromium and the extra `report`. Look at the pictures before you commit them: they show the
names of this machine that Ray's dashboard shows.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser import Browser  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
RAYKIT = str(Path(sys.executable).parent / "raykit")
WIDTH, HEIGHT = 1280, 1600
CUT = {"x": 88, "y": 470, "width": 1168, "height": 830, "scale": 1}
"""The list of nodes and workers, without what stands above it."""
SHOWN = "fibonacci_task"
"""A worker is shown with the task that it runs."""
SHOWN_SECONDS = 90


def main() -> None:
    """Take both pictures."""
    program = shutil.which("chromium") or sys.exit("chromium is not on PATH")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, Path(folder) / "profile")
        env = os.environ | {"RAYKIT_RUNS": str(Path(folder) / "runs")}
        try:
            _dashboard(browser, env)
            _report(browser, env, Path(folder) / "report.html")
        finally:
            browser.close()


def _dashboard(browser: Browser, env: dict[str, str]) -> None:
    """The page of the cluster, with the rows of its workers unfolded, while tasks run."""
    with _address(env) as address:
        words = [RAYKIT, "submit", "fib", "--", "--size", "100000"]
        job = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        browser.ask(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )
        browser.ask("Page.navigate", url=address)
        time.sleep(2)
        browser.evaluate("location.hash = '#/cluster'")
        deadline = time.monotonic() + SHOWN_SECONDS
        while SHOWN not in browser.evaluate("document.body.innerText"):
            if time.monotonic() > deadline:
                sys.exit(f"the dashboard showed no {SHOWN} within {SHOWN_SECONDS} s")
            time.sleep(0.2)
        shot = browser.ask("Page.captureScreenshot", format="png", clip=CUT)
        _keep(shot, "dashboard.png")
        job.wait(300)


@contextmanager
def _address(env: dict[str, str]) -> Iterator[str]:
    """The address that `raykit dashboard` prints; it is closed at the end."""
    child = subprocess.Popen(
        [RAYKIT, "dashboard", "--no-browser"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        yield child.stdout.readline().strip()
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(30)


def _report(browser: Browser, env: dict[str, str], path: Path) -> None:
    """The top of the report of a run of `fib`."""
    quiet = subprocess.DEVNULL
    subprocess.run([RAYKIT, "submit", "fib"], env=env, check=True, stdout=quiet, stderr=quiet)
    words = [RAYKIT, "report", "last", "--output", str(path)]
    subprocess.run(words, env=env, check=True, stdout=quiet)
    browser.show(path, 1000, 1280)
    _keep(browser.ask("Page.captureScreenshot", format="png"), "report.png")


def _keep(shot: dict[str, str], name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / name).write_bytes(base64.b64decode(shot["data"]))
    print(PICTURES / name)


if __name__ == "__main__":
    main()
