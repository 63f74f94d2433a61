"""The local code of a RayJob's job: carried to its head, and packed again from its run's record.

Kueue may take a RayJob's cluster away before its job got there, and give it another one, whose head
lacks the code. The submission that carried it may have ended by then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict

from raykit.errors import ConflictError, MissingError, RecordError
from raykit.measure.records import RunRecord
from raykit.progress import Progress
from raykit.submission import packaging, uploads
from raykit.submission.transport import Transport
from raykit.submission.uploads import Packed, Source

CODE = "code"
"""In a record's `job`: where the packages come from that the job needs."""

CODE_SECONDS = 2.0
"""The pause between two questions whether the head still has the job's code."""


class Code:
    """A job's code on its way to a head. packed: None: there is none, or somebody else brings it.

    bool(code): whether there is code that only this raykit can upload.
    """

    def __init__(self, packed: Packed | None, progress: Progress) -> None:
        self.packed, self.progress = packed, progress
        self.ask_at = 0.0

    def __bool__(self) -> bool:
        return self.packed is not None and bool(self.packed.packages)

    def send(self, transport: Transport) -> None:
        """Upload what the head lacks. Errors: JobsApiError (6)."""
        if self.packed:
            self.packed.send(transport, self.progress)

    def was_lost(self, transport: Transport) -> bool:
        """Whether the head has lost the code: its pod or container was replaced.

        Asked at most every two seconds. Errors: LostConnectionError (6).
        """
        if not self.packed or time.monotonic() < self.ask_at:
            return False
        self.ask_at = time.monotonic() + CODE_SECONDS
        return self.packed.is_missing(transport)


def keep(record: RunRecord, packed: Packed) -> None:
    """Put into a record where its job's packages come from, if it has any."""
    if packed.packages:
        record.job[CODE] = [asdict(source) for source in packed.sources]


def is_missing(record: RunRecord, transport: Transport) -> bool:
    """Whether the head lacks code that a run's job needs.

    Errors: LostConnectionError (6); RecordError (7) if its record is damaged.
    """
    return not all(packaging.has(transport, source.package) for source in _sources(record))


@contextlib.contextmanager
def packed_again(record: RunRecord) -> Iterator[Packed]:
    """The code of a run, from the folders from which it was submitted.

    Errors: MissingError (4) if a folder is gone; ConflictError (8) if its content is another one;
    UsageError (2) if it cannot be packed any more.
    """
    with contextlib.ExitStack() as disk:
        try:
            packed = disk.enter_context(uploads.packed_again(_sources(record)))
        except (MissingError, ConflictError) as error:
            error.evidence = (*error.evidence, "the head that KubeRay made since lacks this code")
            error.next = (
                f"restore the folder, then raykit attach {record.id}; "
                f"or raykit stop {record.id}, and submit it again"
            )
            raise
        yield packed


def _sources(record: RunRecord) -> list[Source]:
    """Where the packages of a run come from. Errors: RecordError (7) if its record is damaged."""
    try:
        return [Source.from_dict(data) for data in record.job.get(CODE, [])]
    except (TypeError, ValueError) as damage:
        raise RecordError(
            f"the record of the run {record.id} does not say where its code comes from",
            evidence=[str(damage)],
            next=f"raykit stop {record.id}, and submit it again",
        ) from damage
