"""The `raykit` command: registers all commands, and catches all errors."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from raykit import versions
from raykit.app import output, streams
from raykit.app.commands import (
    clusters,
    completion,
    dashboard,
    data,
    doctor,
    down,
    image,
    jobs,
    kind,
    reference,
    specs,
    submit,
)
from raykit.app.commands.measuring import bench, collect, compare, report, runs
from raykit.errors import (
    Interrupt,
    InterruptedByUserError,
    KubernetesError,
    MissingError,
    RaykitError,
    UsageError,
)

EPILOG = """A minute to a result:

\b
  raykit submit fib              the tutorial's comparison, on this machine
  raykit runs show last          what it measured

One machine beside several:

\b
  raykit kind up                 a kind cluster with KubeRay and one Ray node
  raykit submit fib              finds it by its label
  raykit up -f deploy/clusters/multi-node.yaml
  raykit submit fib --on multi-node
  raykit compare RUN RUN         times, speedup, and what is in doubt

Every command takes -h; most take -o json. Exit codes: below 20 it is raykit or the platform,
20 the job FAILED, 21 STOPPED, 22 still runs after --timeout.
"""

EXAMINED = (MissingError.exit_code, KubernetesError.exit_code)
DOCTOR = "raykit doctor, with the same --context and -n: it checks all that raykit needs"
"""Advice for errors that have none of their own, but whose cause doctor may find."""

OUR_VARIABLES = ("RAYKIT_ON", "RAYKIT_RUNS")

app = typer.Typer(
    name="raykit",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"raykit {versions.RAYKIT}")
        raise typer.Exit


@app.callback()
def raykit(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    """Deploy Ray clusters on Kubernetes, and measure them."""


submit.register(app)
bench.register(app)
runs.register(app)
collect.register(app)
data.register(app)
compare.register(app)
report.register(app)
jobs.register(app)
specs.register(app)
reference.register(app)
kind.register(app)
image.register(app)
clusters.register(app)
down.register(app)
dashboard.register(app)
doctor.register(app)
completion.register(app)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code (`errors.EXIT_CODES`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    streams.secure()
    sys.excepthook = output.show_bug
    _handle_signals()
    as_json = _wants_json(words)
    try:
        _check_surroundings(words)
        with _long_paths_refused():
            app(args=words, prog_name=_program(sys.argv[0]))
    except RaykitError as error:
        if error.exit_code in EXAMINED and not error.next:
            error.next = DOCTOR
        output.show_error(_command(words), error, as_json)
        sys.exit(error.exit_code)
    except Interrupt:
        stopped = InterruptedByUserError("interrupted")
        output.show_error(_command(words), stopped, as_json)
        sys.exit(stopped.exit_code)
    except SystemExit as ended:
        # Typer has printed what is wrong to stderr; JSON readers get their envelope, too.
        if as_json and ended.code == UsageError.exit_code:
            wrong = UsageError("wrong usage", next=f"raykit {_command(words)} --help")
            output.show_error(_command(words), wrong, as_json)
        raise
    except Exception as bug:
        if as_json:
            reported = RaykitError("a bug in raykit", evidence=[f"{type(bug).__name__}: {bug}"])
            output.show_error(_command(words), reported, as_json)
        raise
    finally:
        # Skip the final garbage collection; it would add 50 ms to every command.
        gc.freeze()
    sys.exit(0)


@contextlib.contextmanager
def _long_paths_refused() -> Iterator[None]:
    """Errors: UsageError (2) if a path of the user is longer than the system allows."""
    try:
        yield
    except OSError as refused:
        if refused.errno != errno.ENAMETOOLONG:
            raise
        raise UsageError(
            "a path is longer than this system allows",
            evidence=[output.shortened(str(refused.filename), 80)],
            next="name a shorter path, or cd nearer to it",
        ) from refused


def _check_surroundings(words: Sequence[str]) -> None:
    """Check arguments, variables and the current folder, which every command uses.

    Errors: UsageError (2) if one is not UTF-8, MissingError (4) if the folder was deleted.
    """
    try:
        here = str(Path.cwd())
    except OSError as gone:
        raise MissingError(
            "the current folder was deleted or cannot be read",
            evidence=[str(gone)],
            next="cd to another folder, then run the same command again",
        ) from gone
    named = {f"argument {number}": word for number, word in enumerate(words, 1)}
    named |= {name: os.environ.get(name, "") for name in OUR_VARIABLES}
    named["the current folder"] = here
    wrong = [f"{name}: {text!r}" for name, text in named.items() if not _is_utf8(text)]
    if wrong:
        raise UsageError(
            "raykit reads and writes UTF-8 only",
            evidence=wrong,
            next="rename it, or give the same path from a folder whose name is UTF-8",
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _handle_signals() -> None:
    """Let Ctrl-C, SIGTERM and a closed terminal interrupt; but not the last one under `nohup`."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    streams.hurry()
    raise Interrupt


def _wants_json(words: Sequence[str]) -> bool:
    own = words[: words.index("--")] if "--" in words else words
    joined = " ".join(own)
    return any(form in joined for form in ("-o json", "--output json", "--output=json", "-ojson"))


def _program(path: str) -> str:
    """The name under which help speaks of this program: kubectl starts its plugins by a file's."""
    return "kubectl raykit" if Path(path).stem == "kubectl-raykit" else "raykit"


def _command(words: Sequence[str]) -> str:
    """The command's name, with that of its group: `runs show`."""
    first, second = [*words, "-", "-"][:2]
    if first.startswith("-"):
        return "raykit"
    groups = {group.name for group in app.registered_groups}
    return first if first not in groups or second.startswith("-") else f"{first} {second}"
