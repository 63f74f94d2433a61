"""`raykit bench --break-even`: at which size of a job do tasks begin to win?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raykit.app import output
from raykit.app.options import TableFormat, runs_folder
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.flows.experiments.request import Request
    from raykit.measure.experiment.break_even import Search
    from raykit.measure.experiment.break_even_result import BreakEven
    from raykit.measure.experiment.experiments import Experiment
    from raykit.measure.records import RunsFolder

ROUNDS = 8
"""The fewest that can decide anything at ten sizes."""


def run(request: Request, sizes: str, dry_run: bool, output_format: TableFormat) -> None:
    """Search and show the answer, or only say what would be run."""
    from raykit.flows.experiments import break_even as flow
    from raykit.flows.experiments import reading
    from raykit.progress import Progress

    search = search_of(sizes, request.rounds)
    flow.check_job(request.entrypoint(()))
    folder, progress = runs_folder(), Progress(output.Screen())
    if dry_run:
        planned = flow.outline(request, search, folder, progress)
        _show_outline(planned, folder, output_format)
        return
    done = flow.bench(request, search, folder, progress)
    output.aside(f"experiment: raykit compare {done.id}")
    show(reading.searched(done, folder), "bench", output_format)


def search_of(sizes: str, rounds: int) -> Search:
    """What `--sizes` and `--repeat` allow. Errors: UsageError (2)."""
    from raykit.measure.experiment.break_even import Search

    smallest, _, largest = sizes.partition("..")
    if not (_is_size(smallest) and _is_size(largest)):
        raise UsageError(
            f"--sizes {sizes}: two whole numbers from 1 on, such as 1000..1000000",
        )
    try:
        return Search(int(smallest), int(largest), rounds)
    except ValueError as error:
        raise UsageError(
            f"--break-even: {error}", next=f"--sizes 1000..1000000 --repeat {ROUNDS}"
        ) from error


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def show(found: BreakEven, command: str, output_format: TableFormat) -> None:
    """Print a search: the answer, the sizes, the doubts."""
    from raykit.app import break_even_page as page

    if output_format is TableFormat.json:
        output.show(command, found.as_dict(), True, page.as_text)
        return
    text = {
        TableFormat.markdown: page.as_markdown,
        TableFormat.csv: page.as_csv,
    }.get(output_format, page.as_text)
    output.show(command, found, False, text)


def _show_outline(planned: Experiment, folder: RunsFolder, output_format: TableFormat) -> None:
    from raykit.flows.experiments import estimates
    from raykit.measure.experiment.break_even_result import search_of

    search = search_of(planned)
    most = 2 * (search.most_sizes * search.rounds + planned.plan.warm_ups)
    usual = estimates.usual(folder, planned.job["name"], planned.job["arguments"])
    left = most - len(planned.made)
    if output_format is TableFormat.json:
        seconds = None if usual is None else left * usual.seconds
        data = {**planned.as_dict(), "most_runs": most, "most_seconds": seconds}
        output.show("bench", data, True, str)
        return
    how_long = estimates.in_words(left, usual, planned.job["name"], most=True)
    output.show("bench", planned, False, lambda plan: f"{_outline(plan, search, most)}\n{how_long}")


def _outline(experiment: Experiment, search: Search, most: int) -> str:
    """What a search may run at most, as text."""
    arm = experiment.arms["tasks"]
    job = " ".join([experiment.job["name"], *experiment.job["arguments"]])
    done = f"; {len(experiment.made)} are made" if experiment.made else ""
    return "\n".join(
        [
            f"experiment {experiment.id}: the break-even size of {job}",
            f"on {arm['on']} (p = {arm['p']:g}); sizes from {search.smallest:,} to "
            f"{search.largest:,}; seed {experiment.plan.seed}",
            f"at most {search.most_sizes} sizes of {search.rounds} rounds, --mode local and "
            "--mode tasks in each",
            f"at most {most} runs{done}",
        ]
    )
