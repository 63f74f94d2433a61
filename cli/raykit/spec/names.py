"""Names that Kubernetes and KubeRay accept, and the labels by which raykit finds its objects."""

from __future__ import annotations

import re

CLUSTER_LABEL = "raykit.io/cluster"
"""A label of each RayCluster that raykit renders, and of its pods: the cluster's name."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"
MANAGED_BY = "raykit"
HASH_ANNOTATION = "raykit.io/spec-hash"
"""An annotation of each RayCluster that raykit renders: a hash of what it rendered.

It marks the cluster as raykit's, whatever a Kustomize overlay changes afterwards. It decides no
change: `raykit up` compares the objects themselves.
"""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""Kueue's label: the LocalQueue of an object."""
SUBMITTER = "ray-job-submitter"
"""What KubeRay calls the container that submits the job of a RayJob."""
TOKEN_KEY = "auth_token"

LONGEST_CLUSTER = 53
LONGEST_LABEL = 63
LONGEST_OBJECT = 253
LONGEST_JOB = 20
LONGEST_RAYJOB = 47
KUBERAY_CLIPS_AT = 50
HEAD_GROUP = "headgroup"

DNS_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
DNS_1123 = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{DNS_1123}(\.{DNS_1123})*"
LABEL_KEY = rf"({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
DURATION = r"[1-9][0-9]{0,4}(ms|s|m|h)"


_DNS_1035, _DNS_1123 = re.compile(DNS_1035), re.compile(DNS_1123)
_SUBDOMAIN = re.compile(SUBDOMAIN)
_LABEL_VALUE, _DURATION = re.compile(LABEL_VALUE), re.compile(DURATION)


def cluster_name(text: str) -> str:
    """The name of a RayCluster: DNS-1035, at most 53 characters. Errors: ValueError."""
    return _dns_1035(text, LONGEST_CLUSTER, "KubeRay adds suffixes such as -head-svc")


def resource_name(text: str, longest: int) -> str:
    """The name of any of KubeRay's resources: DNS-1035. Errors: ValueError."""
    return _dns_1035(text, longest, "KubeRay adds suffixes to it")


def group_name(text: str) -> str:
    """The name of a worker group: DNS-1035, and not the head's. Errors: ValueError."""
    if text == HEAD_GROUP:
        raise ValueError(f'"{HEAD_GROUP}" is what KubeRay calls the head')
    return _dns_1035(text, LONGEST_LABEL, "it becomes a label")


def namespace_name(text: str) -> str:
    """The name of a namespace: DNS-1123, at most 63 characters. Errors: ValueError."""
    if len(text) > LONGEST_LABEL or not _DNS_1123.fullmatch(text):
        raise ValueError(f'"{text}" is no namespace: lower-case letters, digits and inner dashes')
    return text


def label_key(text: str) -> str:
    """The key of a label or a taint, with or without a prefix. Errors: ValueError."""
    prefix, slash, name = text.rpartition("/")
    if slash and not (len(prefix) <= LONGEST_OBJECT and _SUBDOMAIN.fullmatch(prefix)):
        raise ValueError(f'"{text}" is not a label key: before / stands a DNS name in lower case')
    if not (name and len(name) <= LONGEST_LABEL and _LABEL_VALUE.fullmatch(name)):
        raise ValueError(
            f'"{text}" is not a label key: letters, digits, - _ . inside, at most {LONGEST_LABEL}'
        )
    return text


def annotation_key(text: str) -> str:
    """The key of an annotation: as a label's, in any case. Errors: ValueError."""
    try:
        label_key(text.lower())
    except ValueError:
        raise ValueError(f'"{text}" is not an annotation key: a label key, in any case') from None
    return text


def label_value(text: str) -> str:
    """The value of a label. Errors: ValueError."""
    if len(text) > LONGEST_LABEL or not _LABEL_VALUE.fullmatch(text):
        raise ValueError(
            f'"{text}" is not a label value: letters, digits, - _ . inside, at most {LONGEST_LABEL}'
        )
    return text


def object_name(text: str) -> str:
    """The name of a Kubernetes object: DNS-1123 subdomain, at most 253. Errors: ValueError."""
    if len(text) > LONGEST_OBJECT or not _SUBDOMAIN.fullmatch(text):
        raise ValueError(
            f'"{text}" is no name of an object: lower-case letters, digits, inner dashes and dots'
        )
    return text


def volume_name(text: str) -> str:
    """The name of a volume or container: DNS-1123, at most 63 characters. Errors: ValueError."""
    if len(text) > LONGEST_LABEL or not _DNS_1123.fullmatch(text):
        raise ValueError(f'"{text}" is no such name: lower-case letters, digits and inner dashes')
    return text


def job_name(text: str) -> str:
    """The name of a job within a spec: DNS-1035, at most 20 characters. Errors: ValueError."""
    return _dns_1035(text, LONGEST_JOB, "the RayJob's name adds the cluster's and a hash")


def duration(text: str) -> str:
    """A Prometheus duration such as 30s. Errors: ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is no duration such as 30s or 1m')
    return text


def token_secret(cluster: str) -> str:
    """The Secret in which KubeRay keeps a cluster's token, under the key `auth_token`.

    It has the cluster's name; KubeRay cuts names over 50 characters from the left.
    """
    clipped = cluster[-KUBERAY_CLIPS_AT:]
    return clipped if clipped[0].isalpha() else "r" + clipped[1:]


def _dns_1035(text: str, longest: int, why: str) -> str:
    if len(text) > longest:
        raise ValueError(f"is {len(text)} characters long; at most {longest}: {why}")
    if not _DNS_1035.fullmatch(text):
        raise ValueError(
            f'"{text}" must start with a letter and hold lower-case letters, digits and inner '
            f"dashes only{_suggestion(text, longest)}"
        )
    return text


def _suggestion(text: str, longest: int) -> str:
    lowered = re.sub(r"[^a-z0-9]+", "-", text.lower())
    valid = lowered.lstrip("-0123456789")[:longest].rstrip("-")
    return f'; for example "{valid}"' if valid else ""
