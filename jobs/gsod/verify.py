"""Read one archive to its very end with the job's own reader, for `raykit data verify`.

`python JOBS_FOLDER gsod.verify FOLDER YEAR` prints one line of JSON: the archive's `sha256`, the
`rows` read and the members `skipped`, or the `problem` and its `evidence`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jobs.gsod.archive import DataProblem, archive_path
from jobs.gsod.counts import Question
from jobs.gsod.reading.year import read_year


def verify(folder: Path, year: int) -> dict[str, Any]:
    """What reading the year's archive came to."""
    try:
        counts = read_year(archive_path(folder, year), year, Question())
    except DataProblem as problem:
        return {"problem": problem.what, "evidence": list(problem.evidence)}
    quality = counts.quality
    return {
        "sha256": counts.archive["sha256"],
        "rows": quality.rows,
        "skipped": dict(quality.skipped_members),
    }


if __name__ == "__main__":
    print(json.dumps(verify(Path(sys.argv[1]), int(sys.argv[2]))))
