"""`raykit ps`, `attach`, `logs` and `stop`: for all jobs of a head, also of other users."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Collect, Format, Output, Timeout, on_target, runs_folder
from raykit.errors import JobsApiError

if TYPE_CHECKING:
    from raykit.flows.jobs import Stopped
    from raykit.flows.targets.where import Where
    from raykit.submission.jobs_api import JobDetails

ENTRYPOINT = 30
"""Characters of a command in the table of `raykit ps`."""

Job = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A submission id or run id, the beginning of one, last, or last~1."
    ),
]


def register(app: typer.Typer) -> None:
    app.command("ps")(ps)
    app.command("attach")(attach)
    app.command("logs")(logs)
    app.command("stop")(stop)


@on_target
def ps(
    where: Where,
    output_format: Output = Format.text,
) -> None:
    """List all jobs that a head knows, also those of other users."""
    from raykit.flows import jobs
    from raykit.progress import Progress

    listed = jobs.jobs(where, Progress(output.Screen()))
    as_json = output_format is Format.json
    data: Any = [asdict(job) for job in listed] if as_json else listed
    output.show("ps", data, as_json, _as_table)


@on_target
def attach(
    job: Job,
    where: Where,
    timeout: Timeout = None,
    collect: Collect = True,
    output_format: Output = Format.text,
) -> None:
    """Follow a job to its end, and complete its record."""
    from raykit.app.commands.submit import finish
    from raykit.flows import jobs
    from raykit.progress import Progress

    as_json = output_format is Format.json
    screen = output.Screen(job_stream=sys.stderr if as_json else sys.stdout)
    run = jobs.attach(job, where, runs_folder(), Progress(screen), timeout, collect=collect)
    finish(run, "attach", as_json, screen)


@on_target
def logs(
    job: Job,
    where: Where,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the job ends.")
    ] = False,
) -> None:
    """Print a job's log as it is on the head, byte for byte except for secrets."""
    from raykit.flows import jobs
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    jobs.log(job, where, runs_folder(), progress, output.raw, following=follow)


@on_target
def stop(
    job: Job,
    where: Where,
    output_format: Output = Format.text,
) -> None:
    """Stop a job, and check that it has stopped."""
    from raykit.flows import jobs
    from raykit.progress import Progress

    stopped = jobs.stop(job, where, runs_folder(), Progress(output.Screen()))
    error = None if stopped.confirmed else _not_stopped(stopped)
    if output_format is Format.json:
        output.show_envelope("stop", asdict(stopped), error)
        raise typer.Exit(error.exit_code if error else 0)
    if error:
        raise error
    output.show("stop", stopped, False, lambda job: f"{job.submission_id}: {job.status}")


def _not_stopped(stopped: Stopped) -> JobsApiError:
    return JobsApiError(
        f"Ray says that it stopped {stopped.submission_id}, but it is {stopped.status}",
        next="raykit ps shows it; a job that stays PENDING ends with its head",
    )


def _as_table(jobs: list[JobDetails]) -> str:
    if not jobs:
        return "the head knows no job"
    return output.table(
        ["ID", "STATUS", "EXIT", "STARTED", "SECONDS", "ENTRYPOINT"],
        [
            (
                job.submission_id or job.job_id or "?",
                job.status,
                "-" if job.driver_exit_code is None else job.driver_exit_code,
                _clock(job.start_time),
                _seconds(job),
                _brief(job.entrypoint),
            )
            for job in jobs
        ],
    )


def _brief(entrypoint: str) -> str:
    """A command in 30 characters. In a long one paths are cut, so that the job's name is seen."""
    if len(entrypoint) > ENTRYPOINT:
        entrypoint = re.sub(r"[^\s'\"=]*/(?=[^\s/])", "…/", entrypoint)
    return output.shortened(entrypoint, ENTRYPOINT)


def _clock(moment: float | None) -> str:
    return "-" if moment is None else time.strftime("%H:%M:%S", time.localtime(moment))


def _seconds(job: JobDetails) -> str:
    if job.start_time is None:
        return "-"
    return f"{(job.end_time or time.time()) - job.start_time:.1f}"
