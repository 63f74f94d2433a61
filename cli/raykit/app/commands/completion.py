"""`raykit completion`: the script that a shell loads."""

from __future__ import annotations

from typing import Annotated

import typer

from raykit.app import output
from raykit.app.completion.shells import SCRIPTS, Shell

EPILOG = """Examples:

\b
  source <(raykit completion bash)    in ~/.bashrc, for bash 4.4 or later
  source <(raykit completion zsh)     in ~/.zshrc, below compinit
  raykit completion fish | source     in ~/.config/fish/config.fish
"""


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command("completion", epilog=EPILOG)(completion)


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print a script that completes commands, options and names in your shell.

    Names are jobs, runs, experiments, clusters, contexts and namespaces.
    """
    output.raw(SCRIPTS[shell].encode())
