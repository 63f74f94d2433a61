"""Turns the errors of obstore into problems that say what happened and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from jobs.gsod.archive import DataProblem
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.stores import CERTIFICATES, CREDENTIALS, RETRIES, SKIP, credentials, signs

STATUS = re.compile(r"Server returned non-2xx status code: (\d{3} [\w -]+)")
SAID = re.compile(r"<Code>(\w+)</Code>\s*(?:<Message>([^<]*)</Message>)?")
CAUSES = (
    (re.compile(r"InvalidCertificate\(\s*(\w+)"), "its certificate is not trusted: {}"),
    (re.compile(r"InvalidContentType"), "it does not speak TLS at that port"),
    (re.compile(r"\"dns error\"[^\"]*\"([^\"]+)\""), "its name is not known here: {}"),
    (re.compile(r"message: \"([^\"]+)\""), "{}"),
    (re.compile(r"BadScheme"), "it leads to an address that is not encrypted"),
    (re.compile(r"MissingContentLength"), "the source does not say how many bytes it sends"),
    (
        re.compile(r"RangeNotSupported"),
        "the source cannot go on where it was cut: it knows no ranges",
    ),
    (re.compile(r"Received redirect without LOCATION"), "it is in another region"),
    (re.compile(r"TimedOut|Timeout"), "it was silent for too long"),
    (re.compile(r"IncompleteBody|Interrupted|IncompleteMessage"), "the connection was cut"),
)
SERVICE = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_BASE_URL", "az": "AZURE_STORAGE_ACCOUNT_NAME"}
SHOWN = 200
"""Characters of an error that no line above explains."""

NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
WRONG_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect")


class Missing(DataProblem):
    """The source has no such object."""


def refused(where: Where, name: str, error: Exception) -> DataProblem:
    """The problem that an object cannot be read, with the server's words and what to do next."""
    if isinstance(error, FileNotFoundError) and not _says(error, NO_BUCKET):
        what = f"{name} is not at {where.address}"
        return Missing(
            what, reason(error), "that folder must hold <year>.tar.gz: check the address"
        )
    what = f"{name} cannot be read from {where.address}"
    return DataProblem(what, reason(error), *_next_steps(where, error))


def reason(error: Exception) -> str:
    """One short line: the status and the server's own words, or what broke."""
    # A signed address holds a secret.
    line = re.sub(r"\w+://\S+", "its address", _reason(error))[:SHOWN]
    return "".join(each if each.isprintable() else " " for each in line)


def _reason(error: Exception) -> str:
    text = str(error)
    if status := STATUS.search(text):
        said = SAID.search(text)
        words = ": ".join(filter(None, said.groups())) if said else ""
        return f"HTTP {status[1].strip()}" + (f" ({words})" if words else "")
    for pattern, line in CAUSES:
        if found := pattern.search(text):
            return line.format(*found.groups())
    return (text.strip().splitlines() or [repr(error)])[0]


def _next_steps(where: Where, error: Exception) -> list[str]:
    text = str(error)
    status = STATUS.search(text)
    if "InvalidCertificate" in text:
        return [f"{CERTIFICATES}=FILE in the Ray nodes' environment names further authorities"]
    if _says(error, NO_BUCKET):
        return [f"check the bucket's name and its service: {SERVICE[where.kind]}"]
    if "redirect without LOCATION" in text or _says(error, WRONG_REGION):
        return [f"AWS_REGION is {os.environ.get('AWS_REGION') or 'not set (us-east-1)'}"]
    if "kind: Connect" in text:
        return ["can the Ray nodes reach it? networkPolicy.egress and HTTPS_PROXY matter"]
    if not status:
        return []
    if status[1].startswith(("429", "5")):
        return [f"it was asked {RETRIES + 1} times: run the job again later"]
    return [_credentials(where.kind)] if where.kind in CREDENTIALS else []


def _says(error: Exception, codes: Sequence[str]) -> bool:
    return any(code in str(error) for code in codes)


def _credentials(kind: str) -> str:
    if signs(kind):
        used = credentials(kind) or "its own machine"
        return f"asked with the credentials of {used} on this Ray node"
    names = ", ".join(CREDENTIALS[kind][:3])
    unset = f"asked without credentials: none of {names} … is set on this Ray node"
    return f"{unset} ({SKIP[kind]}=false takes those of the machine)"
