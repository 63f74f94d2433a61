"""`raykit submit`: run a job and see it through."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from raykit.app import output
from raykit.app.options import Context, Format, Namespace, On, Output, where
from raykit.app.runs import runs_folder

if TYPE_CHECKING:
    from raykit.flows.session import Run

EPILOG = """Examples:

\b
  raykit submit fib                      the tutorial's comparison, here
  raykit submit fib -- --size 20000      options behind -- are the job's
  raykit submit gsod                     a real sample of NOAA's archives
  raykit submit gsod -- --data ~/gsod    your own <year>.tar.gz
  raykit submit fib --on http://HOST:8265
"""


def register(app: typer.Typer) -> None:
    app.command("submit", epilog=EPILOG)(submit)


def submit(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job that comes with raykit.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- JOB OPTIONS]", help="Passed to the job.")
    ] = None,
    on: On = None,
    context: Context = None,
    namespace: Namespace = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to follow; then exit 22.")
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """Run a job on a Ray cluster and see it through to its end.

    The job's output is shown as it comes. Its timing, its log and what the cluster did are kept
    in ./runs (or RAYKIT_RUNS). The exit code tells how the job ended.
    """
    from raykit.flows import entrypoints
    from raykit.flows.submit import Request, submit
    from raykit.progress import Progress

    as_json = output_format is Format.json
    screen = output.Screen(job_stream=sys.stderr if as_json else sys.stdout)
    place = where(on, context, namespace)
    request = Request(entrypoints.of_kit(job, arguments or []), place, timeout=timeout)
    run = submit(request, runs_folder(), Progress(screen))
    finish(run, "submit", as_json)


def finish(run: Run, command: str, as_json: bool) -> None:
    """Show the picture of a run, then its error if it has one, and exit with its code."""
    from raykit.app.picture import picture

    if as_json:
        output.show_envelope(command, run.record.as_dict(), run.error)
        raise typer.Exit(run.exit_code)
    output.aside(picture(run.record, output.width()))
    if run.error:
        output.show_error(command, run.error, False)
    raise typer.Exit(run.exit_code)
