"""What tests of flows share."""

import pytest

from raykit.measure.records import RunsFolder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs that a command takes."""
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    return RunsFolder(tmp_path / "runs")
