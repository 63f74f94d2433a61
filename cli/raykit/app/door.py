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
    answer.answer(sys.argv[2:])
    _leave()


def complete_for_kubectl() -> NoReturn:
    """`kubectl_complete-raykit`, by which kubectl completes `kubectl raykit`."""
    answer.answer_kubectl(sys.argv[1:])
    _leave()


def _leave() -> NoReturn:
    # Skip the final garbage collection; a shell waits for this process.
    gc.freeze()
    sys.exit(0)
