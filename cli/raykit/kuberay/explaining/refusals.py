"""What to say, and to do, where the API server refuses pods. Pure functions."""

from __future__ import annotations

from raykit.kube.contexts import kubectl


def why_refused(message: str) -> str:
    """Why the API server refuses pods, in a few words. message: what it says."""
    if "violates PodSecurity" in message:
        return "they violate the namespace's Pod Security level"
    if "exceeded quota" in message:
        return "the namespace's quota is exceeded"
    if "forbidden" in message:
        return "admission forbids them"
    return "Kubernetes does not create them"


def repair_of_refusal(message: str, context: str, namespace: str) -> str:
    """The command that helps where the API server refuses pods."""
    command = kubectl(context, namespace)
    if "exceeded quota" in message:
        return f"ask for less, or: {command} describe resourcequota"
    if "LimitRange" in message or "per Container" in message or "per Pod" in message:
        return f"{command} describe limitrange"
    return "raykit render -f SPEC shows what is applied; change the spec, then raykit up again"
