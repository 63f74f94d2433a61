"""Experiments on disk, read again: without what running one needs, so that it is quick."""

from __future__ import annotations

from raykit.errors import UsageError
from raykit.measure import run_ids
from raykit.measure.experiment import break_even_result, experiments
from raykit.measure.experiment.arm_results import ArmsCompared
from raykit.measure.experiment.arms import compare_arms
from raykit.measure.experiment.break_even_result import BreakEven
from raykit.measure.experiment.experiments import Experiment
from raykit.measure.records import RunRecord, RunsFolder


def find(runs: RunsFolder, word: str) -> Experiment | None:
    """The experiment of that id, or of the only id that begins so; None if the word names none.

    Errors: RecordError (7) if its file is damaged; UsageError (2) if several ids begin so.
    """
    # Words such as last~1 name runs alone.
    if not run_ids.is_plain(word) or run_ids.is_last(word):
        return None
    experiment = experiments.read(runs, word)
    return experiment if experiment or runs.has(word) else _beginning_with(runs, word)


def _beginning_with(runs: RunsFolder, word: str) -> Experiment | None:
    names = (path.parent.name for path in runs.path.glob(f"*/{experiments.FILE}"))
    found = sorted(run_ids.beginning_with(word, names))
    if not found:
        return None
    run = runs.find(word)
    if run is not None or len(found) > 1:
        raise UsageError(
            f"{word} is the beginning of several names",
            evidence=[*found, *([] if run is None else [f"{run}, a run"])][: run_ids.MOST_NAMED],
            next="give more characters of it",
        )
    return experiments.read(runs, found[0])


def records_of(experiment: Experiment, runs: RunsFolder) -> dict[str, RunRecord]:
    """The records of an experiment by run id. Errors: RecordError (7) if one is missing."""
    return {made.run: runs.load(made.run) for made in experiment.made}


def compared(
    experiment: Experiment,
    runs: RunsFolder,
    baseline: str | None = None,
    price: float | None = None,
) -> ArmsCompared:
    """The arms of an experiment side by side. price: of a CPU hour, for what each run cost.

    Errors: UsageError (2) for a baseline that is no arm, RecordError (7).
    """
    return compare_arms(experiment, records_of(experiment, runs), baseline, price)


def searched(experiment: Experiment, runs: RunsFolder) -> BreakEven:
    """What the runs of a search for the break-even size say. Errors: RecordError (7)."""
    return break_even_result.of_experiment(experiment, records_of(experiment, runs))
