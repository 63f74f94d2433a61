"""`raykit runs export`, `import` and `prune`: what becomes of records later."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from raykit.app import output
from raykit.app.options import (
    Context,
    Format,
    Namespace,
    Output,
    Yes,
    consent,
    refuse,
    runs_folder,
)
from raykit.errors import RecordError, UsageError
from raykit.measure.traces.forms import Form

if TYPE_CHECKING:
    from raykit.flows.keeping.from_cluster import Found
    from raykit.flows.keeping.importing import Imported
    from raykit.flows.keeping.pruning import Pruned

EXPORT_EPILOG = """Examples:

\b
  raykit runs export last --output-file last.tar.gz
  raykit runs export EXPERIMENT > experiment.tar.gz  with all of its runs
  raykit runs export last --as trace > last.json     for ui.perfetto.dev
  raykit runs export last --as otlp > last.json      for an OTLP collector
"""
IMPORT_EPILOG = """Examples:

\b
  raykit runs import last.tar.gz
  ssh there raykit runs export last | raykit runs import -
  raykit runs import --from-cluster -n raykit-dev    RayJobs that have ended
"""
PRUNE_EPILOG = """Examples:

\b
  raykit runs prune --older-than 30d --dry-run    what would go
  raykit runs prune --keep 100 --yes              all but the newest hundred

Runs that an experiment needs, runs whose end raykit did not see and runs that are
being followed stay.
"""


def register(runs: typer.Typer) -> None:
    """Add the commands of this topic to `raykit runs`."""
    runs.command("export", epilog=EXPORT_EPILOG)(export)
    runs.command("import", epilog=IMPORT_EPILOG)(import_)
    runs.command("prune", epilog=PRUNE_EPILOG)(prune)


def export(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RUN|EXPERIMENT...", help="Runs, as in show.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All runs and experiments instead.")
    ] = False,
    form: Annotated[
        Form,
        typer.Option("--as", help="archive: for runs import; trace: for Perfetto; otlp: JSON."),
    ] = Form.archive,
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="FILE", help="Write it there, not to stdout."),
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """Write runs as one archive, or their times for other tools."""
    from raykit.flows.keeping import exporting
    from raykit.measure.records import ELSEWHERE, into

    as_json = output_format is Format.json
    if output_file is None:
        _check_stdout(form, as_json)
    folder = runs_folder()
    if everything and names:
        raise UsageError("--all and names", next="leave one of them out")
    chosen = exporting.choose_all(folder) if everything else exporting.choose(names or [], folder)
    if chosen.unreadable:
        left_out = f"{counted(len(chosen.unreadable), 'run')} that cannot be read left out"
        output.aside(f"{left_out}: {', '.join(chosen.unreadable[:5])}")
    if output_file is None:
        exporting.export(chosen, form, folder, _Stdout())
        return
    with into(output_file, ELSEWHERE) as out:
        exporting.export(chosen, form, folder, out)
    data = {**chosen.as_dict(), "file": str(output_file), "bytes": output_file.stat().st_size}
    output.show("runs export", data, as_json, _exported)


def import_(
    click: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE|-", help="What runs export wrote.")
    ] = None,
    from_cluster: Annotated[
        bool, typer.Option("--from-cluster", help="RayJobs of a namespace that have ended instead.")
    ] = False,
    context: Context = None,
    namespace: Namespace = None,
    output_format: Output = Format.text,
) -> None:
    """Take in runs of an archive, or RayJobs that have ended.

    An archive is taken in as a whole or not at all. A RayJob becomes one record, however often it
    is imported: its status, and the submitter pod's log with the job's timings. A log that is gone
    is recorded as lost.
    """
    if (file is None) != from_cluster:
        raise UsageError("import what?", next="raykit runs import FILE, or --from-cluster")
    as_json = output_format is Format.json
    if from_cluster:
        found = _from_cluster(context, namespace)
        data = [each.as_dict() for each in found]
        output.show("runs import", data, as_json, _rayjobs)
        return
    refuse(click, "an archive is in no Kubernetes context", "context", "namespace")
    from raykit.flows.keeping import importing

    assert file is not None
    with _opened(file) as stream:
        imported = importing.import_archive(stream, str(file), runs_folder())
    output.show("runs import", imported.as_dict() if as_json else imported, as_json, _imported)


def _from_cluster(context: str | None, namespace: str | None) -> list[Found]:
    from raykit.flows.keeping import from_cluster
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    return from_cluster.import_from_cluster(context, namespace, runs_folder(), progress)


def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="That ended so long ago: 30d, 12h, 1h30m."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=0, max=1_000_000, metavar="N", help="But for the newest N."),
    ] = None,
    experiments: Annotated[
        bool,
        typer.Option("--experiments", help="Also experiments all of whose runs are that old."),
    ] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also runs whose end raykit did not see.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Delete old runs, and say what that freed."""
    from raykit.flows.keeping import pruning
    from raykit.measure.keeping import ages
    from raykit.measure.keeping.pruning import Rule

    if older_than is None and keep is None:
        raise UsageError(
            "which runs are old?",
            next="raykit runs prune --older-than 30d, or --keep 100, or both",
        )
    seconds = None if older_than is None else ages.parse(older_than, "--older-than")
    rule = Rule(seconds, keep, unfinished, experiments)
    pruned = pruning.prune(rule, runs_folder(), consent(yes), dry_run=dry_run)
    as_json = output_format is Format.json
    output.show("runs prune", pruned.as_dict() if as_json else pruned, as_json, _pruned)


class _Stdout:
    """stdout for bytes."""

    def write(self, data: bytes) -> None:
        output.raw(data)

    def flush(self) -> None:
        """Each write goes out at once."""


def _check_stdout(form: Form, as_json: bool) -> None:
    """Errors: UsageError (2) where an export would meet a terminal, or an envelope."""
    hint = "raykit runs export … --output-file FILE"
    if as_json:
        raise UsageError("-o json and the export itself cannot share stdout", next=hint)
    if form is Form.archive and sys.stdout.isatty():
        raise UsageError("an archive is nothing for a terminal", next=f"{hint}, or > FILE")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """Errors: RecordError (7) where it cannot be read."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise RecordError(
            f"{file} cannot be read",
            evidence=[error.strerror or str(error)],
            next="raykit runs import takes a file that raykit runs export wrote, or -",
        ) from error
    with stream:
        yield stream


def _exported(data: dict[str, Any]) -> str:
    counts = counted(len(data["runs"]), "run")
    if data["experiments"]:
        counts += f" and {counted(len(data['experiments']), 'experiment')}"
    return f"{counts} in {data['file']}, {data['bytes'] / 1e6:.1f} MB"


def _imported(imported: Imported) -> str:
    lines = [*imported.new, f"imported {len(imported.new)}"]
    if imported.there:
        lines[-1] += f"; {len(imported.there)} were here already, with the same content"
    return "\n".join(lines)


def _rayjobs(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no RayJobs there"
    return output.table(
        ["RAYJOB", "STATE", "LOG", "RUN", ""],
        [
            (
                row["rayjob"],
                row["state"].rpartition(", ")[2],
                row["log"] or "-",
                row["run"] or "-",
                row["outcome"],
            )
            for row in rows
        ],
    )


def _pruned(pruned: Pruned) -> str:
    gone = [*pruned.runs, *pruned.experiments]
    counts = counted(len(pruned.runs), "run")
    if pruned.experiments:
        counts += f" and {counted(len(pruned.experiments), 'experiment')}"
    verb, size = ("would delete", "") if pruned.dry_run else ("deleted", "freed ")
    lines = [*gone, f"{verb} {counts}, {size}{pruned.bytes / 1e6:.1f} MB"]
    lines += [
        output.wrapped(f"kept {counted(count, 'run')} {reason}")
        for reason, count in Counter(pruned.kept.values()).items()
    ]
    return "\n".join(lines)


def counted(count: int, what: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {what}{'' if count == 1 else 's'}"
