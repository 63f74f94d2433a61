"""Where the programs start. Completion answers without the rest of the command line."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

from raykit.app.completion import answer


def main() -> NoReturn:
    """`raykit`, and `kubectl-raykit` by another name: run one command and exit with its code."""
    if sys.argv[1:2] != [answer.COMMAND]:
        from raykit.app.main import main as run

        run()
    _hurry()
    answer.answer(sys.argv[2:])
    _leave()


def complete_for_kubectl() -> NoReturn:
    """`kubectl_complete-raykit`, by which kubectl completes `kubectl raykit`."""
    _hurry()
    answer.answer_kubectl(sys.argv[1:])
    _leave()


def _hurry() -> None:
    # A shell waits for this process, which ends before its garbage could matter.
    gc.disable()


def _leave() -> NoReturn:
    # Skip the final garbage collection.
    gc.freeze()
    sys.exit(0)
