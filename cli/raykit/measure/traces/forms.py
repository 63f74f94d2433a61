"""What `raykit runs export` can write."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """Everything, for another raykit; or the times alone, for Perfetto or an OTLP collector."""

    archive = "archive"
    trace = "trace"
    otlp = "otlp"
