"""The names that exist, for a shell that completes a word. Nothing here raises a RaykitError.

A name that cannot be known now, such as a cluster of a context that does not answer within
two seconds, is left out.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from raykit import kit
from raykit.errors import RaykitError

if TYPE_CHECKING:
    from raykit.kube.connection import Kubernetes
    from raykit.measure.records import RunsFolder

ANSWER_SECONDS = 2.0
"""How long a shell waits for an API server."""
MOST_RUNS = 50

Name = tuple[str, str]
"""A name, and in one line what it is."""


@dataclass(frozen=True)
class Given:
    """What stands on the command line so far.

    beginning: of the word to complete. behind_dashes: whether it stands behind `--`.
    values: of options and arguments before it, by parameter.
    """

    beginning: str
    behind_dashes: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


def jobs(_: Given) -> list[Name]:
    """raykit's own jobs."""
    return [(job, "a job that comes with raykit") for job in kit.jobs()]


def job_options(given: Given) -> list[Name]:
    """The options of raykit's own job, behind `--`."""
    if not given.behind_dashes:
        return []
    return [(option, "") for option in kit.options(given.values.get("job", ""))]


def shapes(_: Given) -> list[Name]:
    """The shapes of `raykit init`, and its word for a job."""
    folder = kit.root() / "deploy" / "clusters"
    found = [path.stem for path in sorted(folder.glob("*.yaml"))]
    return [
        *((shape, "a shape that comes with raykit") for shape in found),
        ("job", "a job of your own, with its test"),
    ]


def runs(given: Given) -> list[Name]:
    """`last`, then the newest runs that begin with the word."""
    folder = _folder()
    newest = list(islice(_entries(folder, "record.json", given.beginning), MOST_RUNS))
    return [("last", "the newest run"), *(_described(folder, run) for run in newest)]


def runs_and_experiments(given: Given) -> list[Name]:
    """Experiments, then runs."""
    folder = _folder()
    experiments = islice(_entries(folder, "experiment.json", given.beginning), MOST_RUNS)
    return [*((name, "an experiment") for name in experiments), *runs(given)]


def contexts(_: Given) -> list[Name]:
    """The contexts of the kubeconfig."""
    from raykit.kube import kubeconfig

    try:
        config = kubeconfig.load()
    except RaykitError:
        return []
    if config is None:
        return []
    return [
        (name, "the current context" if name == config.current else "") for name in config.contexts
    ]


def namespaces(given: Given) -> list[Name]:
    """The namespaces of the context."""

    def listed(connection: Kubernetes) -> list[Name]:
        pages = connection.pages("Namespace", metadata_only=True)
        return [(item["metadata"]["name"], "") for page in pages for item in page]

    return _asked(given.values.get("context"), listed)


def targets(given: Given) -> list[Name]:
    """What `--on` takes: `local`, local heads, RayClusters."""
    return [("local", "a Ray head on this machine"), *clusters(given)]


def clusters(given: Given) -> list[Name]:
    """Local heads, then the RayClusters of the context, each by the shortest form of its name."""
    context = given.values.get("context")
    prefix = ""
    if not context and ":" in given.beginning:
        context = next((c for c, _ in contexts(given) if given.beginning.startswith(f"{c}:")), None)
        prefix = f"{context}:" if context else ""
    namespace = given.values.get("namespace")

    def listed(connection: Kubernetes) -> list[Name]:
        from raykit.kube.connection import EVERYWHERE

        own = "" if prefix else namespace or connection.namespace
        pages = connection.pages("RayCluster", namespace or EVERYWHERE, metadata_only=True)
        found = [
            (item["metadata"]["namespace"], item["metadata"]["name"]) for p in pages for item in p
        ]
        return [
            (f"{prefix}{name}" if place == own else f"{prefix}{place}/{name}", "a RayCluster")
            for place, name in found
        ]

    return [*_local_heads(), *_asked(context, listed)]


def _local_heads() -> list[Name]:
    from raykit.local import warm

    try:
        return [(head.name, "a local head") for head in warm.running()]
    except RaykitError:
        return []


def _folder() -> RunsFolder:
    from raykit.measure.records import RunsFolder

    return RunsFolder.chosen(os.environ)


def _entries(folder: RunsFolder, file: str, beginning: str) -> Iterator[str]:
    """Names of the folders that hold a file and begin with the word, the newest first."""
    try:
        names = [entry.name for entry in os.scandir(folder.path)]
    except OSError:
        return iter(())
    wanted = sorted((name for name in names if name.startswith(beginning)), reverse=True)
    return (name for name in wanted if (folder.path / name / file).is_file())


def _described(folder: RunsFolder, run_id: str) -> Name:
    from raykit.measure.keeping.summaries import summary

    run = summary(folder, run_id)
    return run_id, re.sub(r"\s+", " ", f"{run.status} {run.command}").strip()[:60]


def _asked(context: str | None, question: Callable[[Kubernetes], list[Name]]) -> list[Name]:
    """The answer of a context's API server; nothing if it gives none within two seconds."""
    from raykit.kube.access import access
    from raykit.kube.quick import QuickKubernetes

    answers: list[Name] = []

    def ask() -> None:
        with contextlib.suppress(RaykitError):
            answers.extend(question(QuickKubernetes(access(context))))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return list(answers)
