"""The pytest fixture `fake_head`: `pytest_plugins = ["raykit.testing.plugin"]`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from raykit.testing.head import FakeHead


@pytest.fixture
def fake_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHead]:
    """A fake Ray head, to which raykit submits in this test, also as a child process.

    It runs each submission as a child process, unless the test prepared what becomes of it
    (`fake_head.next_job(log=…, exit_code=…)`). Run records go to `tmp_path / "runs"`.
    """
    with FakeHead(token=secrets.token_urlsafe(), runs_jobs=True) as head:
        monkeypatch.setenv("RAYKIT_ON", head.url)
        monkeypatch.setenv("RAY_AUTH_TOKEN", str(head.token))
        monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
        yield head
