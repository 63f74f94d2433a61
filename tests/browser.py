"""A headless Chromium for tests, spoken to through its debugging pipe: no port, no driver."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """One page in one Chromium. events: what it reported, with `method` and `params`."""

    def __init__(self, program: str, profile: Path) -> None:
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        words = [program, *QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        # Chromium reads commands from descriptor 3 and answers on 4.
        wiring = f'exec "$@" 3<&{to_read} 4>&{from_write}'
        self.child = subprocess.Popen(
            ["bash", "-c", wiring, "bash", *words],
            pass_fds=(to_read, from_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        self.answers = os.fdopen(self.from_read, "rb", buffering=0)
        self.rest, self.count, self.events = b"", 0, []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        """Send one command; its result. Events that come meanwhile are kept."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def show(self, path: Path, width: int, height: int = 900, scheme: str = "light", media=""):
        """Open a file in a window of that size and colour scheme."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self.events.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page; promises are awaited."""
        found = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, path: Path):
        """The whole page as a picture."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """Errors and warnings of the console, refused loads and exceptions included."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event["method"] in kinds]

    def requests(self):
        """Addresses that the page asked for."""
        sent = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def close(self):
        os.close(self.to_write)
        self.child.kill()
        self.child.wait(20)
        self.answers.close()

    def _next(self):
        while b"\0" not in self.rest:
            data = self.answers.read(1 << 16)
            assert data, "chromium has ended"
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)


def chromium() -> str:
    """The program; skips the test where it is missing, but not in CI."""
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("RAYKIT_REQUIRE_KIND"), "chromium must be installed here"
        pytest.skip("needs chromium")
    return program
