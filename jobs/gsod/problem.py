"""What is wrong with an archive: the one error of reading GSOD data."""

from __future__ import annotations


class DataProblem(Exception):
    """Input data that is corrupt, incomplete or unreadable: never a number in its place.

    `what` is one line; `evidence` lines say where: `2020.tar.gz: 72429793812.csv:17: ...`.
    """

    def __init__(self, what: str, *evidence: str) -> None:
        super().__init__(what, *evidence)
        self.what = what
        self.evidence = evidence
