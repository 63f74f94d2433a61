"""The files of a run and of an experiment, and which of them are whose."""

from __future__ import annotations

from pathlib import Path

from raykit.measure.experiment.experiments import FILE
from raykit.measure.keeping.evidence import EVIDENCE
from raykit.measure.records import EVENTS, LOG, RECORD

IMPORTED = "imported"
"""An empty file beside a record that came from another machine: where its job ran is that
machine's word, so nothing is sent there (`flows/jobs.py`)."""

REPORT = "report.html"
"""What `raykit report` writes beside a record; it does not travel."""

TRAVELS = (RECORD, FILE, LOG, EVENTS, EVIDENCE)
"""What an archive holds of a run or an experiment, and in this order."""

OF_A_RUN = (*TRAVELS, IMPORTED, REPORT)
"""All that raykit writes into the folder of a run, the record first."""


def own_files(folder: Path) -> list[Path]:
    """The files in a run's folder that raykit wrote, the record first."""
    return [path for name in OF_A_RUN if (path := folder / name).is_file()]


def is_imported(folder: Path) -> bool:
    """Whether the run of a folder came from another machine."""
    return (folder / IMPORTED).exists()


def size(path: Path) -> int:
    """The bytes of a file; 0 where it is gone."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0
