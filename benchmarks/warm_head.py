"""A warm local head for one benchmark, in a runtime folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


@contextmanager
def warm_head() -> Iterator[dict[str, str]]:
    """The environment to speak to it: `HEAD` is its address, RAY_AUTH_TOKEN its token."""
    raykit = str(SCRIPTS / "raykit")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        env = {**clean, "XDG_RUNTIME_DIR": folder, "RAYKIT_RUNS": f"{folder}/runs"}
        subprocess.run([raykit, "up", "--on", "local"], env=env, check=True)
        try:
            yield env | _address(Path(folder))
        finally:
            subprocess.run([raykit, "down", "--on", "local"], env=env, check=True)


def _address(folder: Path) -> dict[str, str]:
    """The head's address and token, as its state file names them."""
    state = json.loads(next(folder.rglob("*.json")).read_text("utf-8"))
    return {"HEAD": state["url"], "RAY_AUTH_TOKEN": state["token"], "RAY_AUTH_MODE": "token"}
