"""`raykit submit`: run a job to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import (
    Collect,
    Format,
    Output,
    Timeout,
    Yes,
    consent,
    number,
    on_target,
    refuse,
    runs_folder,
)
from raykit.app.rayjob_options import (
    OF_RAYJOBS,
    As,
    Deadline,
    Delete,
    OwnSpec,
    StartDeadline,
    Ttl,
)
from raykit.errors import UsageError
from raykit.flows.ranges import AMOUNT, BYTES

if TYPE_CHECKING:
    from raykit.flows.session import Run
    from raykit.flows.targets.where import Where
    from raykit.submission.entrypoints import Entrypoint

EPILOG = """Examples:

\b
  raykit submit fib                      the tutorial's comparison, here
  raykit submit fib -- --size 20000      options behind -- are the job's
  raykit submit gsod -- --data ~/gsod    your own <year>.tar.gz
  raykit submit ./my_job.py -- --fast    its folder is packed and uploaded
  raykit submit --entrypoint -- echo hi  any command
  raykit submit fib --on single-node     a cluster, by name
  raykit submit fib --as rayjob          KubeRay submits it: docs/rayjob.md

raykit's own jobs: fib, gsod, objects and sklearn. `raykit submit gsod -- --help`
lists the options of one.
"""

Many = list[str] | None
Args = Annotated[Many, typer.Argument(metavar="[-- JOB OPTIONS]", help="Passed to the job.")]
WorkingDir = Annotated[
    Path | None, typer.Option(help="Folder to upload; a script's own by default.")
]
EnvFile = Annotated[Path | None, typer.Option(help="File of KEY=VALUE lines.")]
RuntimeEnvFile = Annotated[
    Path | None, typer.Option("--runtime-env", metavar="FILE", help="Ray's, in YAML or JSON.")
]


def register(app: typer.Typer) -> None:
    app.command("submit", epilog=EPILOG)(submit)


@on_target
def submit(
    command: typer.Context,
    where: Where,
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="A job of raykit's, or a file.")
    ] = None,
    arguments: Args = None,
    entrypoint: Annotated[
        bool, typer.Option("--entrypoint", help="Run the words behind -- as a command.")
    ] = False,
    working_dir: WorkingDir = None,
    env: Annotated[Many, typer.Option(metavar="KEY=VALUE", help="For the job's processes.")] = None,
    env_file: EnvFile = None,
    pip: Annotated[Many, typer.Option(metavar="REQUIREMENT", help="Installed for it.")] = None,
    runtime_env: RuntimeEnvFile = None,
    num_cpus: Annotated[
        float | None,
        typer.Option(
            "--entrypoint-num-cpus", metavar="N", parser=number(AMOUNT), help="CPUs for the driver."
        ),
    ] = None,
    num_gpus: Annotated[
        float | None,
        typer.Option(
            "--entrypoint-num-gpus", metavar="N", parser=number(AMOUNT), help="GPUs for the driver."
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option("--entrypoint-memory", min=0, max=BYTES.most, help="Bytes for the driver."),
    ] = None,
    metadata: Annotated[Many, typer.Option(metavar="KEY=VALUE", help="Kept by Ray.")] = None,
    submission_id: Annotated[
        str | None, typer.Option("--id", help="Submission id; the same id and job is run once.")
    ] = None,
    timeout: Timeout = None,
    follow: Annotated[bool, typer.Option(help="Follow it to its end.")] = True,
    stop_on_interrupt: Annotated[
        bool, typer.Option("--stop-on-interrupt", help="Ctrl-C stops the job, for CI.")
    ] = False,
    collect: Collect = True,
    as_kind: As = None,
    file: OwnSpec = None,
    deadline: Deadline = None,
    start_deadline: StartDeadline = None,
    ttl: Ttl = None,
    delete: Delete = None,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Run a job on a Ray cluster and follow it to its end.

    The job's output is shown as it arrives. Its timing, its log and what the cluster did are kept
    in ./runs (or RAYKIT_RUNS). The exit code says how the job ended.
    """
    from raykit.flows.submit import Request, submit
    from raykit.progress import Progress
    from raykit.submission import runtime_env as environments
    from raykit.submission import variables

    env_vars = variables.env_file(env_file) if env_file else {}
    env_vars |= variables.pairs(env or [], "--env")
    base = environments.read_file(runtime_env) if runtime_env else {}
    request = Request(
        _entrypoint(job, arguments or [], environments.working_dir(base, working_dir), entrypoint),
        where,
        id=_checked_id(submission_id),
        runtime_env=environments.merged(base, env_vars, pip or []),
        resources=_resources(num_cpus, num_gpus, memory),
        metadata=variables.pairs(metadata or [], "--metadata"),
        timeout=timeout,
        follow=follow,
        stop_on_interrupt=stop_on_interrupt,
        collect=collect,
    )
    as_json = output_format is Format.json
    screen = output.Screen(job_stream=sys.stderr if as_json else sys.stdout)
    if as_kind is None:
        refuse(command, "only --as rayjob uses such options", *OF_RAYJOBS)
        run = submit(request, runs_folder(), Progress(screen))
    else:
        from raykit.flows.rayjobs import options
        from raykit.flows.rayjobs import submit as rayjobs

        how = options.as_rayjob(
            file, where.namespace, deadline, start_deadline, ttl, delete or [], consent(yes)
        )
        run = rayjobs.submit(request, how, runs_folder(), Progress(screen))
    finish(run, "submit", as_json, screen)


def finish(run: Run, command: str, as_json: bool, screen: output.Screen) -> None:
    """Show the picture of a run, then its error if it has one, and exit with its code."""
    from raykit.app.picture import picture

    if as_json:
        output.show_envelope(command, run.record.as_dict(), run.error)
        raise typer.Exit(run.exit_code)
    screen.end_line()
    output.aside(picture(run.record, output.width()))
    if screen.is_cut():
        output.aside(f"not all was shown: raykit runs show {run.record.id} --log has the rest")
    if run.error:
        output.show_error(command, run.error, False, screen.has_shown)
    raise typer.Exit(run.exit_code)


def _entrypoint(
    job: str | None, arguments: list[str], working_dir: Path | None, is_command: bool
) -> Entrypoint:
    from raykit.submission import entrypoints

    if is_command:
        return entrypoints.of_words([*([job] if job is not None else []), *arguments], working_dir)
    if job is None:
        raise UsageError("no job named", next="raykit submit fib; raykit submit --help")
    return entrypoints.find(job, arguments, working_dir)


def _checked_id(submission_id: str | None) -> str | None:
    from raykit.measure import run_ids

    if submission_id is None:
        return None
    if run_ids.is_last(submission_id):
        raise UsageError(
            f"--id {submission_id}: that word names the newest run", next="choose another id"
        )
    if run_ids.is_plain(submission_id):
        return submission_id
    raise UsageError(
        f"--id {submission_id!r}: Ray refuses such an id",
        next="letters, digits, '.', '_' and '-', at most 128",
    )


def _resources(cpus: float | None, gpus: float | None, memory: int | None) -> dict[str, Any]:
    given = {
        "entrypoint_num_cpus": cpus,
        "entrypoint_num_gpus": gpus,
        "entrypoint_memory": memory,
    }
    return {name: value for name, value in given.items() if value is not None}
