"""The three ways to name a RayCluster: `NAME`, `NAMESPACE/NAME`, `CONTEXT:NAMESPACE/NAME`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from raykit.errors import UsageError
from raykit.redaction import REPLACEMENT

FORMS = "NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PASSWORD = re.compile(r"(?<![^/])[^/@]*:[^@]*@")
"""In an address whose scheme was forgotten or mistyped; redaction knows passwords by `://`."""


@dataclass(frozen=True)
class Reference:
    """A RayCluster as a user names it. The kubeconfig gives the parts that are None.

    `str()` gives the form that raykit prints and accepts.
    """

    name: str
    namespace: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        if self.namespace is None:
            return self.name
        context = "" if self.context is None else f"{self.context}:"
        return f"{context}{self.namespace}/{self.name}"


def parse(text: str, source: str) -> Reference:
    """Read one of the three forms; a context's name may contain slashes and colons.

    source: the option or variable with the text, for the error. Errors: UsageError (2).
    """
    place, slash, name = text.rpartition("/")
    context, colon, namespace = place.rpartition(":")
    good = (
        _NAME.fullmatch(name)
        and (not slash or _NAMESPACE.fullmatch(namespace))
        and (not colon or context)
    )
    if not good:
        address = "; an address begins with http://" if ":" in name else ""
        shown = _PASSWORD.sub(f"{REPLACEMENT}@", text)
        raise UsageError(f"{source} {shown!r} names no cluster", next=f"write {FORMS}{address}")
    return Reference(name, namespace or None, context or None)


def narrowed(reference: Reference, context: str | None, namespace: str | None) -> Reference:
    """The reference, completed by `--context` and `--namespace`.

    Errors: UsageError (2) if they contradict it, or if the namespace is not a valid name.
    """
    for option, given, named in (
        ("--context", context, reference.context),
        ("--namespace", namespace, reference.namespace),
    ):
        if given and named and given != named:
            raise UsageError(
                f"{option} {given} contradicts {reference}", next=f"leave {option} out"
            )
    if namespace is not None:
        check_namespace(namespace)
    return Reference(reference.name, reference.namespace or namespace, reference.context or context)


def check_namespace(namespace: str) -> None:
    """Errors: UsageError (2) if a namespace cannot have this name."""
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"--namespace {namespace!r} can be no namespace",
            next="lower-case letters, digits and inner dashes, at most 63",
        )
