"""Whether raykit supports the Helm on PATH."""

from __future__ import annotations

import re

from raykit import processes
from raykit.errors import MissingError

OLDEST, TOO_NEW = (3, 12), (5, 0)
INSTALL_HINT = "install Helm 3.12 or newer: https://helm.sh/docs/intro/install/"


def check_version() -> str:
    """The version of Helm on PATH.

    Errors: MissingError (4) if there is none, or if raykit does not support its version.
    """
    processes.find("helm", install_hint=INSTALL_HINT)
    output = processes.run(
        ["helm", "version", "--template", "{{.Version}}"], timeout=15, error=MissingError
    ).stdout
    match = re.search(r"v(\d+)\.(\d+)\S*", output)
    if not match:
        raise MissingError("cannot read Helm's version", evidence=[output], next=INSTALL_HINT)
    if not OLDEST <= (int(match[1]), int(match[2])) < TOO_NEW:
        raise MissingError(
            f"Helm {match[0]} does not fit: raykit needs 3.12 or newer, below 5", next=INSTALL_HINT
        )
    return match[0]
