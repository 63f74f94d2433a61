"""The RayJobs in `raykit status`: those whose job has not ended, and what they wait for."""

from __future__ import annotations

from typing import Any

from raykit.errors import RaykitError
from raykit.kube.connection import EVERYWHERE, Kubernetes
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.rayjobs import ended, submitted
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.kuberay.waiting import unless_forbidden

MOST_EXPLAINED = 10
"""The most RayJobs for which pods and events are read to explain what they wait for."""


def rows(connection: Kubernetes, namespace: str | None) -> list[dict[str, Any]]:
    """A row for each RayJob that has not ended; none if they cannot be listed.

    namespace: None: all.
    """
    try:
        jobs = ended.find(connection, namespace or EVERYWHERE)
    except RaykitError:
        # Users may lack the right; the clusters are what a status is for.
        return []
    going = [job for job in jobs if not job.has_ended]
    waiting = [job for job in going if not job.status.get("jobStatus")][:MOST_EXPLAINED]
    machines = MachinesReader(connection)
    return [_row(job, machines if job in waiting else None) for job in going]


def _row(job: RayJob, machines: MachinesReader | None) -> dict[str, Any]:
    findings = unless_forbidden(lambda: submitted.findings(job, machines)) if machines else []
    queued = any(finding.queued for finding in findings)
    return {
        "name": job.name,
        "namespace": job.namespace,
        "state": "queued" if queued else str(job.status.get("jobStatus") or "waiting"),
        "cluster": job.cluster_name,
        "created": job.item["metadata"].get("creationTimestamp"),
        "reasons": [
            {"what": finding.what, "evidence": list(finding.evidence)} for finding in findings
        ],
        "next": next((finding.next for finding in findings if finding.next), ""),
    }
