"""`raykit report`: a run or an experiment as one HTML page."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from raykit import kit
from raykit.errors import MissingError, RecordError, UsageError
from raykit.flows.experiments import reading
from raykit.flows.experiments.request import UNNAMED
from raykit.measure.experiment import break_even_result
from raykit.measure.experiment.arms import compare_arms
from raykit.measure.experiment.experiments import Experiment
from raykit.measure.records import RunRecord, RunsFolder, write_atomically


@dataclass(frozen=True)
class Report:
    """id: of the run or experiment; document: HTML."""

    id: str
    document: str


def report(
    word: str, runs: RunsFolder, baseline: str | None = None, price: float | None = None
) -> Report:
    """The report of the run or experiment that a word names.

    price: of a CPU hour, for what a run of each arm cost.
    Errors: MissingError (4) without the extra `report`; RecordError (7) if there is no such run
    or experiment, or its records cannot be compared; UsageError (2) for a baseline that is no arm,
    and for a baseline or a price where there are no arms.
    """
    check_installed()
    experiment = reading.find(runs, word)
    if experiment is not None:
        return Report(experiment.id, _of_experiment(experiment, runs, baseline, price))
    _refuse_without_arms(f"{word} is a run", baseline, price)
    record = runs.read(word)
    return Report(record.id, _of_run(record, runs))


def _refuse_without_arms(what: str, baseline: str | None, price: float | None) -> None:
    for option, given in (("--baseline", baseline), ("--price", price)):
        if given is not None:
            raise UsageError(
                f"{option} {given}: {what} and has no arms", next=f"leave {option} out"
            )


def write(document: str, path: Path) -> None:
    """Write a document whole or not at all. Errors: RecordError (7) if the disk refuses."""
    write_atomically(path, document.encode())


def check_installed() -> None:
    """Errors: MissingError (4) with the command that installs what draws."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as missing:
        raise MissingError(
            "a report needs the extra 'report': matplotlib is not installed here",
            evidence=[str(missing)],
            next="pip install 'matplotlib>=3.10,<4'   (in a clone: make install)",
        ) from missing


def _of_run(record: RunRecord, runs: RunsFolder) -> str:
    from raykit.measure.report import of_run

    try:
        log = runs.log(record.id)
    except RecordError:
        log = None
    return of_run.page(record, log, [_submit_again(record), f"raykit report {record.id}"])


def _of_experiment(
    experiment: Experiment, runs: RunsFolder, baseline: str | None, price: float | None
) -> str:
    from raykit.measure.report import of_experiment, of_search

    records = reading.records_of(experiment, runs)
    if experiment.break_even is not None:
        _refuse_without_arms(f"{experiment.id} is a search for a size", baseline, price)
        found = break_even_result.of_experiment(experiment, records)
        again = [_search_again(experiment), f"raykit report {experiment.id}"]
        return of_search.page(found, list(records.values()), again)
    compared = compare_arms(experiment, records, baseline, price)
    priced = "" if price is None else f" --price {price:g}"
    again = [_bench_again(experiment), f"raykit report {experiment.id}{priced}"]
    return of_experiment.page(experiment, compared, records, again)


def _submit_again(record: RunRecord) -> str:
    """The command that submits the same job to the same place."""
    words = list(map(str, record.job["arguments"]))
    if record.job["name"] not in kit.jobs():
        entrypoint = list(map(str, record.job.get("entrypoint") or [record.job["name"]]))
        return shlex.join(["raykit", "submit", *_place(record), "--entrypoint", "--", *entrypoint])
    options = ["--", *words] if words else []
    return shlex.join(["raykit", "submit", str(record.job["name"]), *_place(record), *options])


def _place(record: RunRecord) -> list[str]:
    target = record.target
    if target.get("kind") == "url":
        return ["--on", str(target.get("url"))]
    if not target.get("cluster"):
        return ["--on", "local"]
    parts = [str(part) for part in (target.get("namespace"), target["cluster"]) if part]
    return ["--on", "/".join(parts)]


def _bench_again(experiment: Experiment) -> str:
    """The command that measures the same, as another experiment."""
    plan = experiment.plan
    options = {"--repeat": plan.rounds, "--warm-up": plan.warm_ups, "--seed": plan.seed}
    options |= {"--cold": plan.cold} if plan.cold else {}
    per_cpu = _tasks_per_cpu(experiment)
    options |= {"--tasks-per-cpu": per_cpu} if per_cpu > 1 else {}
    counts = [word for name, value in options.items() for word in (name, str(value))]
    scaling = ["--scaling", str(experiment.scaling)]
    words = list(map(str, experiment.job["arguments"]))
    return shlex.join(
        [
            *("raykit", "bench", str(experiment.job["name"]), *_arms(experiment)),
            *(*counts, *scaling, *(["--", *words] if words else [])),
        ]
    )


def _search_again(experiment: Experiment) -> str:
    """The command that searches for the same break-even size, as another experiment."""
    search, plan = break_even_result.search_of(experiment), experiment.plan
    words = list(map(str, experiment.job["arguments"]))
    place = _arms(experiment.without(list(experiment.arms)[1:]))
    return shlex.join(
        [
            *("raykit", "bench", str(experiment.job["name"]), "--break-even", *place),
            *("--sizes", f"{search.smallest}..{search.largest}", "--repeat", str(search.rounds)),
            *("--warm-up", str(plan.warm_ups), "--seed", str(plan.seed)),
            *(["--", *words] if words else []),
        ]
    )


def _arms(experiment: Experiment) -> list[str]:
    """The options that name the arms; a spec is named once, with all of its numbers of workers."""
    places: list[str] = []
    workers: dict[str, list[str]] = {}
    for arm in experiment.arms.values():
        option, _, rest = str(arm.get("asked", UNNAMED)).partition(" ")
        place, _, count = rest.partition(" --workers ")
        if option == "-f":
            workers.setdefault(place, []).extend([count] if count else [])
        elif option == "--on":
            places += [option, place]
    specs = [word for place in workers for word in ("-f", place)]
    counts = next((own for own in workers.values() if own), [])
    return [*places, *specs, *(["--workers", ",".join(counts)] if counts else [])]


def _tasks_per_cpu(experiment: Experiment) -> int:
    """How many tasks raykit asked for, for each task CPU of the largest arm; 1 where none."""
    largest = max(experiment.arms.values(), key=lambda arm: float(arm["p"]))
    return max(int(largest["tasks"] or 1) // max(int(largest["p"]), 1), 1)
