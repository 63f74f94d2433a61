"""What the user says about where to run, and options that contradict it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from raykit.errors import UsageError


@dataclass(frozen=True)
class Where:
    """What the user says about where to run: the options, and the environment's variables.

    headers, ca: `--header` and `--ca`, only for a head at an address.
    """

    environ: Mapping[str, str]
    on: str | None = None
    context: str | None = None
    namespace: str | None = None
    headers: tuple[str, ...] = field(default=(), repr=False)
    ca: Path | None = None

    @property
    def word(self) -> str | None:
        return self.on or self.environ.get("RAYKIT_ON")

    @property
    def source(self) -> str:
        return "--on" if self.on else "RAYKIT_ON"


def refuse_headers(where: Where) -> None:
    """Errors: UsageError (2) for `--header` and `--ca`, which only a head at an address uses."""
    given = [option for option, value in (("--header", where.headers), ("--ca", where.ca)) if value]
    if given:
        options = " and ".join(given)
        raise UsageError(
            f"{options} would do nothing: only a head at an address uses them",
            next=f"leave {options} out, or name the address: --on https://HOST",
        )


def refuse_context(where: Where) -> None:
    """Errors: UsageError (2) for `--context` and `--namespace`, which only a cluster uses."""
    given = [
        option
        for option, value in (("--context", where.context), ("--namespace", where.namespace))
        if value
    ]
    if given:
        raise UsageError(
            f"{where.source} {where.word} is in no Kubernetes context: "
            f"{' and '.join(given)} would do nothing",
            next=f"leave {' and '.join(given)} out, or name a cluster: --on NAMESPACE/NAME",
        )
