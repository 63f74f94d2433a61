"""What `--data` names: a folder, a web folder, or a bucket. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

NOAA = "https://www.ncei.noaa.gov/data/global-summary-of-the-day/archive"
"""NOAA's own folder of archives."""

BUCKETS = ("s3", "gs", "az")
SCHEMES = ("https", "http", *BUCKETS)
FOLDER = "folder"


@dataclass(frozen=True)
class Where:
    """Where the years lie. Small data that every task gets.

    address: an absolute folder, or an address without credentials. cache: the folder on each Ray
    node that keeps archives; empty if none does.
    """

    address: str
    cache: str = ""

    @property
    def kind(self) -> str:
        """`folder`, or the scheme of the address."""
        return urlsplit(self.address).scheme if is_address(self.address) else FOLDER


def is_address(word: str) -> bool:
    """Whether a word is an address and no folder."""
    return "://" in word


def address(word: str) -> tuple[str, str]:
    """The address that a word means, and the problem with it, one of which is empty."""
    if word == "noaa":
        return NOAA, ""
    try:
        parts = urlsplit(word)
        problem = _problem(word, parts)
    except ValueError as error:
        return "", f"{without_credentials(word)!r} is no address: {error}"
    if problem:
        return "", f"{without_credentials(word)!r} {problem}"
    return word.rstrip("/"), ""


def without_credentials(word: str) -> str:
    """An address without user, password, query and fragment, which may be secrets."""
    beginning, _, rest = word.partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    host, slash, path = rest.partition("/")
    return f"{beginning}://{host.rpartition('@')[2]}{slash}{path}"


def _problem(word: str, parts: SplitResult) -> str:
    if parts.scheme not in SCHEMES:
        return f"cannot be read: a folder, noaa, or {', '.join(f'{name}://' for name in SCHEMES)}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "holds more than a place: credentials belong in the cluster's environment"
    if not parts.hostname or parts.port == 0:
        return "names no host" if parts.scheme.startswith("http") else "names no bucket"
    if any(character.isspace() or not character.isprintable() for character in word):
        return "has spaces or unprintable characters"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "is not encrypted: http:// is for this machine alone, take https://"
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
