"""What a kubeconfig context is, and what that allows: the one place that reads its name."""

from __future__ import annotations

KIND_PREFIX = "kind-"
"""kind names the context of a cluster `NAME` so (`kind create cluster --name NAME`)."""


def of_kind(cluster: str) -> str:
    """The context that kind writes for a cluster."""
    return f"{KIND_PREFIX}{cluster}"


def kind_cluster(context: str) -> str | None:
    """The kind cluster that a context's name stands for; None for any other context."""
    return context.removeprefix(KIND_PREFIX) if context.startswith(KIND_PREFIX) else None


def bring_up(context: str) -> str | None:
    """The command that starts what is behind a context again; None where raykit knows none."""
    cluster = kind_cluster(context)
    return None if cluster is None else f"raykit kind up --name {cluster}"
