"""Chooses where a job runs: `--on`, else RAYKIT_ON, else the only cluster, else a local head."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from raykit.errors import JobsApiError, MissingError, RaykitError, UsageError
from raykit.flows.targets import address
from raykit.flows.targets.address import Address
from raykit.flows.targets.kinds import OnKubernetes, OwnHead, Target, WarmLocal
from raykit.flows.targets.where import Where, refuse_context, refuse_headers
from raykit.kube import kubeconfig
from raykit.kube.errors import NoContextError
from raykit.kube.reference import Reference, check_namespace, narrowed, parse
from raykit.local import folders, warm
from raykit.measure.records import RunRecord

if TYPE_CHECKING:
    from raykit.kube.connection import Kubernetes
    from raykit.kuberay.raycluster import Cluster

Absent = Callable[[Reference, str, "Kubernetes | None"], RaykitError]


class GoneError(JobsApiError):
    """Nothing answers for a recorded run any more: its head, its cluster or its RayJob is gone."""

    @classmethod
    def of(cls, record: RunRecord, what: str, *evidence: str, next: str = "") -> GoneError:
        """The error for a run. what: what of it is gone. next: what else can be run."""
        shown = f"raykit runs show {record.id} has what was recorded, and with --log its log so far"
        return cls(
            f"{what} of the run {record.id} is gone",
            evidence=[f"status when last seen: {record.status}", *evidence],
            next=next or shown,
        )


class NoWayError(MissingError):
    """The kubeconfig lacks the context of a recorded run; its cluster may be there or not."""


@contextlib.contextmanager
def own_context(record: RunRecord, context: str | None) -> Iterator[None]:
    """Turn the error of a missing context into a NoWayError (4), if it is the run's own one.

    context: the one that the user named in its place; None: none.
    """
    try:
        yield
    except NoContextError as absent:
        if context:
            raise
        files = ", ".join(map(str, kubeconfig.paths()))
        raise NoWayError(
            f"the context {record.target.get('context')} of the run {record.id} is not in the "
            "kubeconfig",
            evidence=[f"status when last seen: {record.status}", f"looked in {files}"],
            next="set KUBECONFIG to the file that has it, or name the context with --context; "
            f"raykit runs show {record.id} has what was recorded",
        ) from absent


def choose(where: Where) -> Target:
    """Choose the target; its `reason` says why it is this one.

    Errors: UsageError (2) if the word is empty, names several targets or other options contradict
    it, MissingError (4) if it names none, MissingError (4) or KubernetesError (5) if the context
    cannot be used.
    """
    if where.on == "":
        raise UsageError(
            "--on is empty", next="name a cluster, or leave --on out; is it a variable?"
        )
    word = where.word
    if not word:
        refuse_headers(where)
        return _default_target(where)
    if word == "local":
        refuse_context(where)
        refuse_headers(where)
        return _local(where)
    if word.startswith(("http://", "https://")):
        refuse_context(where)
        return _address(where, word)
    refuse_headers(where)
    return _named(where, word)


def of_record(record: RunRecord, where: Where) -> Target:
    """The target of a recorded run.

    Errors: GoneError (6) if its head or cluster is gone, JobsApiError (6) if no other command can
    reach it, NoWayError (4) if the kubeconfig lacks its context; else as `choose`.
    """
    target = record.target
    if target.get("kind") == "url":
        return _address(replace(where, on=str(target.get("url"))), str(target.get("url")))
    if target.get("kind") == "kubernetes":
        reference = Reference(
            str(target.get("cluster")),
            where.namespace or target.get("namespace"),
            where.context or target.get("context"),
        )
        with own_context(record, where.context):
            return _of_reference(reference, "the run's record", None, partial(_gone, record))
    if had_own_head(record):
        raise _out_of_reach(record)
    name = str(target.get("cluster"))
    head = warm.find(name)
    if head:
        return WarmLocal(head, f"running on the local head {name} (the run's record)")
    raise GoneError(
        f"the local head {name} of the run {record.id} has ended",
        evidence=[f"status when last seen: {record.status}"],
        next=f"raykit runs show {record.id}; a head that stays: raykit up --on local",
    )


def had_own_head(record: RunRecord) -> bool:
    """Whether the run's head was started for it alone; only that raykit has its token."""
    return record.target.get("kind") == "local" and not record.target.get("cluster")


def _out_of_reach(record: RunRecord) -> JobsApiError:
    """The error for a run on a local head of its own: the head has ended, or only the raykit that
    started it can reach it. The lock on the head's folder shows whether it runs.
    """
    if not folders.is_locked(Path(str(record.target.get("folder")))):
        was_killed = record.exit_code is None
        killed = "its raykit was killed, and the head and the job ended with it"
        return GoneError(
            f"the run {record.id} had a local head of its own, which has ended",
            evidence=[killed if was_killed else f"the job ended before: {record.status}"],
            next=f"raykit runs show {record.id} --log; raykit up --on local keeps a head",
        )
    return JobsApiError(
        f"the run {record.id} goes on in another terminal, on a local head of its own",
        evidence=["only the raykit that started that head can reach it; Ctrl-C there ends it"],
        next=f"raykit logs {record.id} shows its log so far; "
        "raykit up --on local keeps a head that every terminal can reach",
    )


def _default_target(where: Where) -> Target:
    """The target without `--on`: the only raykit cluster of the namespace, else the only warm head,
    else a new local head.

    With `--context` or `--namespace`, only a cluster will do. No new head is started if there are
    raykit clusters in other namespaces: the user may mean one of them.
    """
    from raykit.kuberay import choosing

    if where.namespace:
        check_namespace(where.namespace)
    connection = _connection(where.context)
    wants_cluster = where.context or where.namespace
    if connection:
        namespace = where.namespace or connection.namespace
        clusters = choosing.find(connection, namespace, labelled=True)
        if len(clusters) == 1:
            why = f"the one raykit cluster of namespace {namespace}"
            return OnKubernetes(clusters[0], f"running on {clusters[0].where} ({why})")
        if clusters:
            raise _several(f"{len(clusters)} clusters could be the one", clusters)
    if not wants_cluster and (head := _only_warm_head()):
        return WarmLocal(head, f"running on the warm local head {head.name} (it is up)")
    elsewhere = choosing.find(connection, labelled=True) if connection else []
    if wants_cluster:
        raise _no_cluster(where, connection, elsewhere)
    if elsewhere:
        assert connection is not None
        raise _several(f"no raykit cluster in namespace {connection.namespace}", elsewhere)
    why = "no raykit cluster in the context" if connection else "no cluster in a context"
    return OwnHead(f"running on a local Ray head of its own ({why})")


def _only_warm_head() -> warm.WarmHead | None:
    running = warm.running()
    if len(running) > 1:
        names = ", ".join(head.name for head in running)
        raise UsageError(f"several local heads run: {names}", next="choose one with --on NAME")
    return running[0] if running else None


def _local(where: Where) -> Target:
    """`local`: the warm head of that name if it runs, else a new local head."""
    head = warm.find(warm.DEFAULT_NAME)
    if head:
        return WarmLocal(head, f"running on the warm local head ({where.source} local)")
    return OwnHead(f"running on a local Ray head of its own ({where.source} local)")


def _address(where: Where, url: str) -> Address:
    return address.of_url(url, where.source, where.environ, where.headers, where.ca)


def _named(where: Where, word: str) -> Target:
    """The RayCluster that a word names, or the warm local head if the word is only a name."""
    reference = narrowed(parse(word, where.source), where.context, where.namespace)
    head = warm.find(word) if reference == Reference(word) else None
    return _of_reference(reference, where.source, head)


def _of_reference(
    reference: Reference, source: str, head: warm.WarmHead | None, absent: Absent | None = None
) -> Target:
    """The cluster of a reference, or the local head of that name.

    A local head can be used by its name even if the context cannot be reached. absent: makes the
    error if there is neither, if it is not the usual one.
    """
    from raykit.kuberay import choosing

    clusters, connection, failure = [], None, ""
    try:
        connection = _connection(reference.context)
        clusters = choosing.named(connection, reference) if connection else []
    except RaykitError as error:
        if head is None:
            raise
        failure = f"; {error.what}"
    if head and not clusters:
        return WarmLocal(head, f"running on the local head {head.name} ({source}{failure})")
    if head or len(clusters) > 1:
        local = [f"local head {head.name}"] if head else []
        raise _several(f"{source} {reference} names several", clusters, local)
    if clusters:
        return OnKubernetes(clusters[0], f"running on {clusters[0].where} ({source})")
    raise (absent or _unknown)(reference, source, connection)


def _connection(context: str | None) -> Kubernetes | None:
    """A connection to the context; None if there is none, or the current one has no KubeRay.

    Errors: MissingError (4) if the named context has no KubeRay.
    """
    if not context and not kubeconfig.has_context():
        return None
    from raykit.kube.connection import connect
    from raykit.kuberay import operator

    connection = connect(context)
    if operator.is_served(connection):
        return connection
    if context:
        operator.require(connection)
    return None


def _several(
    what: str, clusters: Sequence[Cluster], heads_of_that_name: Sequence[str] = ()
) -> UsageError:
    return UsageError(
        what,
        evidence=[*heads_of_that_name, *(cluster.where for cluster in clusters)],
        next="choose one with --on, as written here; --on local runs on this machine",
    )


def _no_cluster(
    where: Where, connection: Kubernetes | None, elsewhere: Sequence[Cluster]
) -> MissingError:
    namespace = where.namespace or (connection.namespace if connection else None)
    context = f" of context {connection.context}" if connection else ": no Kubernetes context"
    return MissingError(
        f"no raykit cluster in namespace {namespace}{context}",
        evidence=[f"there is {cluster.where}" for cluster in elsewhere],
        next="raykit up -f SPEC, or name any RayCluster with --on NAMESPACE/NAME",
    )


def _gone(record: RunRecord, reference: Reference, _source: str, _: Kubernetes | None) -> GoneError:
    return GoneError.of(record, f"the cluster {reference}")


def _unknown(reference: Reference, source: str, connection: Kubernetes | None) -> MissingError:
    from raykit.kuberay import choosing

    clusters = choosing.find(connection, reference.namespace) if connection else []
    known = [cluster.where for cluster in clusters]
    if reference.namespace is None:
        known += [f"local head {head.name}" for head in warm.running()]
    address = f", or --on http://{reference}:8265" if reference.namespace is None else ""
    return MissingError(
        f"{source} {reference}: there is no cluster"
        + ("" if reference.namespace else " and no local head")
        + " of that name",
        evidence=[f"there is {name}" for name in known],
        next=f"raykit up -f SPEC --name {reference.name}; or --on local{address}",
    )
