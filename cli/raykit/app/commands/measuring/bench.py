"""`raykit bench`: measure one job on several clusters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raykit.app import output
from raykit.app.commands.measuring import break_even as break_even_command
from raykit.app.commands.measuring.compare import FailIf, Price, show_arms
from raykit.app.commands.measuring.keeping import counted
from raykit.app.options import (
    Context,
    Namespace,
    TableFormat,
    Yes,
    consent,
    number,
    refuse,
    runs_folder,
    where,
)
from raykit.errors import UsageError
from raykit.flows.ranges import SECONDS
from raykit.measure.experiment.plan import Scaling
from raykit.redaction import redacted

if TYPE_CHECKING:
    from raykit.flows.experiments.request import Arm
    from raykit.measure.experiment.experiments import Experiment
    from raykit.measure.records import RunsFolder

EPILOG = """Examples:

\b
  raykit bench fib --on one --on two --repeat 6        clusters that are up
  raykit bench fib -f deploy/clusters/scaled.yaml --workers 1,2,4
  raykit bench gsod --on one --on two -- --data ~/gsod --years 1950..2020
  raykit bench fib --on one --on two --id mine     again: it goes on
  raykit bench fib --break-even                    at which size do tasks win?
  raykit bench fib --break-even --on one -- --returns sequence
  raykit bench fib --on one --on two --dry-run     what would run, how long
"""

OF_ARMS = ("workers", "cold", "scaling", "tasks_per_cpu", "baseline", "fail_if", "price")
"""Options that compare arms, which a search for the break-even size has none of."""

Many = list[str] | None
MOST_RUNS, MOST_TASKS = 1_000, 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command("bench", epilog=EPILOG)(bench)


def bench(
    command: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job of raykit's, or a file.")],
    arguments: Annotated[
        Many, typer.Argument(metavar="[-- JOB OPTIONS]", help="Passed to the job.")
    ] = None,
    on: Annotated[
        Many, typer.Option("--on", metavar="local|URL|CLUSTER", help="An arm: a place that is up.")
    ] = None,
    specs: Annotated[
        list[Path] | None,
        typer.Option("-f", "--file", metavar="SPEC", help="An arm: a cluster to bring up."),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="N,N…", help="An arm for each number of workers of the spec."),
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    break_even: Annotated[
        bool, typer.Option("--break-even", help="Find the size at which tasks begin to win.")
    ] = False,
    sizes: Annotated[
        str, typer.Option(metavar="SMALLEST..LARGEST", help="Sizes that --break-even may try.")
    ] = "1000..1000000",
    repeat: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_RUNS, help="Rounds: measured runs of each arm. [default: 6; 8 a size]"
        ),
    ] = None,
    warm_up: Annotated[
        int, typer.Option(min=0, max=MOST_RUNS, help="Unmeasured runs of each arm first.")
    ] = 1,
    cold: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_RUNS, help="Runs on a cluster that was just made, kept apart."
        ),
    ] = 0,
    scaling: Annotated[
        Scaling | None,
        typer.Option(
            help="strong: --tasks of the largest p in every arm; weak: tasks grow with p. "
            "[default: strong where the job takes --tasks]"
        ),
    ] = None,
    tasks_per_cpu: Annotated[
        int, typer.Option(min=1, max=MOST_TASKS, help="Tasks for each task CPU.")
    ] = 1,
    p: Annotated[
        Many, typer.Option("--p", metavar="ARM=CPUS", help="Task CPUs of an autoscaled arm.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--id", help="Name of the experiment; again: it goes on.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="Of the order within rounds; else random."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", parser=number(SECONDS), help="For one run."),
    ] = None,
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make the namespace where it is absent.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The arm to compare with; else the first.")
    ] = None,
    fail_if: FailIf = None,
    price: Price = None,
    yes: Yes = False,
    output_format: Annotated[
        TableFormat, typer.Option("-o", "--output", help="How to print the result.")
    ] = TableFormat.text,
) -> None:
    """Run one job on several clusters in turn, and compare them; or find its break-even size.

    Every round runs each arm once, in random order, so that whatever the machine does meanwhile
    meets all arms alike. Each run leaves a record; the experiment can be interrupted and repeated.
    """
    from raykit.flows.experiments import bench as flow
    from raykit.flows.experiments import reading
    from raykit.flows.experiments.request import Request
    from raykit.measure.experiment import conditions
    from raykit.progress import Progress
    from raykit.submission import entrypoints

    if break_even:
        refuse(command, "--break-even compares the two modes of a job", *OF_ARMS)
    else:
        refuse(command, "it is for --break-even", "sizes")
    given = tuple(arguments or ())
    request = Request(
        entrypoint=lambda words: entrypoints.find(job, words),
        job=entrypoints.find(job, given).name,
        arguments=given,
        arms=_arms(on or [], specs or [], workers, context, namespace),
        rounds=repeat or (break_even_command.ROUNDS if break_even else 6),
        warm_ups=warm_up,
        cold=cold,
        scaling=scaling or (Scaling.strong if _takes_tasks(job) else Scaling.given),
        tasks_per_cpu=tasks_per_cpu,
        p=_task_cpus(p or []),
        id=experiment,
        seed=seed,
        timeout=timeout,
        create_namespace=create_namespace,
        confirm=consent(yes),
    )
    if break_even:
        request = replace(request, arms=_one_arm(request.arms))
        break_even_command.run(request, sizes, dry_run, output_format)
        return
    _refuse_fewer_than_two(request.arms)
    if cold:
        _refuse_cold_places(request.arms)
    wanted = [conditions.parse(text) for text in fail_if or []]
    if baseline is not None and baseline not in [arm.name for arm in request.arms]:
        names = ", ".join(arm.name for arm in request.arms)
        raise UsageError(f"--baseline {baseline}: there is no such arm", evidence=[names])
    folder, progress = runs_folder(), Progress(output.Screen())
    if dry_run:
        _show_outline(flow.outline(request, folder, progress), folder, output_format)
        return
    done = flow.bench(request, folder, progress)
    output.aside(f"experiment: raykit compare {done.id}")
    show_arms(reading.compared(done, folder, baseline, price), "bench", wanted, output_format)


def _arms(
    on: list[str],
    specs: list[Path],
    workers: str | None,
    context: str | None,
    namespace: str | None,
) -> tuple[Arm, ...]:
    """The arms that the options name, in their order: places first, then specs."""
    from raykit.flows.clusters import up
    from raykit.flows.experiments.request import Arm

    # An experiment is kept in a file: without the password that an address may hold.
    places = [(redacted(word), where(word, context, namespace)) for word in on]
    arms = [Arm(name, place, f"--on {name}") for name, place in places]
    for path in specs:
        for count in _counts(workers):
            spec = up.read_spec(path, namespace=namespace, replicas=count)
            if count is not None:
                spec = up.read_spec(
                    path, name=f"{spec.name}-{count}", namespace=namespace, replicas=count
                )
            asked = f"-f {path.name}" + ("" if count is None else f" --workers {count}")
            arms.append(Arm(spec.name, where(None, context, spec.namespace), asked, spec))
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise UsageError("an arm is named twice", evidence=[", ".join(names)])
    if workers and not specs:
        raise UsageError("--workers needs a spec", next="raykit bench JOB -f SPEC --workers 1,2,4")
    return tuple(arms)


def _refuse_cold_places(arms: tuple[Arm, ...]) -> None:
    """Only what raykit brings up from a spec can it end and bring up again."""
    standing = [arm.asked for arm in arms if arm.spec is None]
    if standing:
        raise UsageError(
            "--cold would do nothing: a cold start needs a spec to bring the cluster up from",
            evidence=standing,
            next="raykit bench JOB -f SPEC --workers 1,2 --cold 1",
        )


def _refuse_fewer_than_two(arms: tuple[Arm, ...]) -> None:
    if len(arms) < 2:
        raise UsageError(
            "a comparison needs two arms",
            evidence=[f"named: {', '.join(arm.name for arm in arms) or 'none'}"],
            next="raykit bench JOB --on A --on B, or -f SPEC --workers 1,2",
        )


def _one_arm(arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """The one place of a search; without `--on` it is where `raykit submit` would run."""
    from raykit.flows.experiments.request import UNNAMED, Arm

    if len(arms) > 1:
        raise UsageError(
            "--break-even searches at one place",
            evidence=[f"named: {', '.join(arm.name for arm in arms)}"],
            next="raykit bench JOB --break-even --on PLACE, for each place",
        )
    return arms or (Arm("here", where(None, None, None), UNNAMED),)


def _counts(workers: str | None) -> list[int | None]:
    if workers is None:
        return [None]
    try:
        counts = [int(text) for text in workers.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or len(set(counts)) < len(counts):
        raise UsageError(f"--workers {workers}: whole numbers of workers, each once, such as 1,2,4")
    return list(counts)


def _task_cpus(pairs: list[str]) -> dict[str, float]:
    given = {}
    for pair in pairs:
        name, _, text = pair.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not name or not 0 < value < 1e6:
            raise UsageError(f"--p {pair}: an arm and its task CPUs, such as --p autoscaled=4")
        given[name] = value
    return given


def _takes_tasks(job: str) -> bool:
    from raykit import kit
    from raykit.flows.experiments.bench import TASKS_OPTION

    return job in kit.jobs() and kit.takes_option(job, TASKS_OPTION)


def _show_outline(planned: Experiment, folder: RunsFolder, output_format: TableFormat) -> None:
    from raykit.flows.experiments import estimates

    usual = estimates.usual(folder, planned.job["name"], planned.job["arguments"])
    left = len(planned.remaining())
    if output_format is TableFormat.json:
        seconds = None if usual is None else left * usual.seconds
        data = {**planned.as_dict(), "runs_to_make": left, "seconds": seconds}
        output.show("bench", data, True, str)
        return
    how_long = estimates.in_words(left, usual, planned.job["name"])
    output.show("bench", planned, False, lambda plan: f"{_outline(plan)}\n{how_long}")


def _outline(experiment: Experiment) -> str:
    """The experiment's plan as text."""
    rows = [
        (
            name,
            arm["on"],
            f"{arm['p']:g}",
            "as given" if arm["tasks"] is None else arm["tasks"],
            len(experiment.runs(name)),
        )
        for name, arm in experiment.arms.items()
    ]
    plan = experiment.plan
    runs = f"{counted(plan.rounds, 'round')} of {len(plan.arms)} arms"
    runs += f", {counted(plan.warm_ups, 'warm-up')} each"
    if plan.cold:
        runs += f", {counted(plan.cold, 'cold start')} each"
    job = " ".join([experiment.job["name"], *experiment.job["arguments"]])
    left = len(experiment.remaining())
    lines = [
        f"experiment {experiment.id}: {job}",
        f"{runs}; seed {plan.seed}; {experiment.scaling} scaling",
        "",
        output.table(["ARM", "ON", "P", "TASKS", "DONE"], rows),
    ]
    return "\n".join([*lines, *([f"{counted(left, 'run')} to make"] if left else [])])
