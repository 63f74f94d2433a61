"""Image references: their grammar, and the Ray version that a tag names.

The grammar is that of distribution's `reference` package, which kubelets use.
"""

from __future__ import annotations

import re

LONGEST_NAME = 255
HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = "|".join(f"{name}:[0-9a-f]{{{digits}}}" for name, digits in HEX_DIGITS.items())

REFERENCE = rf"(?:{_DOMAIN}/)?{_PATH}(?::{_TAG})?(?:@(?:{_DIGEST}))?"
"""The grammar as one pattern, for editors."""
LONGEST = LONGEST_NAME + len(":") + 128 + len("@sha512:") + 128

_RAY_REPOSITORY = re.compile(r"(^|/)(ray|ray-ml|ray-llm|raykit)$")
_RAY_TAG = re.compile(r"(\d+\.\d+\.\d+)([-.].*)?")
_RAY_IN_TAG = re.compile(r"(?:^|[-_.])ray[-_]?(\d+\.\d+\.\d+)|^(\d+\.\d+\.\d+)[^-]*-py3\d+")


def reference(text: str) -> str:
    """Check an image reference and return it. Errors: ValueError with what is wrong."""
    problem = _problem(text)
    if problem:
        raise ValueError(f'"{text}" is no image reference: {problem}')
    return text


def repository_and_tag(image: str) -> tuple[str, str]:
    """The repository, such as `registry:5000/name`, and the tag, empty if there is none."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return folder + slash + last, tag


def ray_version_of(image: str) -> str | None:
    """The Ray version that an image's tag names; None if it names none."""
    repository, tag = repository_and_tag(image)
    if _RAY_REPOSITORY.search(repository):
        match = _RAY_TAG.fullmatch(tag)
        return match[1] if match else None
    inside = _RAY_IN_TAG.search(tag)
    return (inside[1] or inside[2]) if inside else None


def _problem(text: str) -> str | None:
    if "://" in text:
        return "it has no scheme; leave out what stands before ://"
    name, at, digest = text.partition("@")
    repository, tag = repository_and_tag(name)
    has_tag = name.rpartition("/")[2].count(":") > 0
    return (
        _problem_of_name(repository)
        or ("a tag is up to 128 letters, digits, _ . -" if has_tag and not _is_tag(tag) else None)
        or (_problem_of_digest(digest) if at else None)
    )


def _problem_of_name(repository: str) -> str | None:
    domain, path = domain_and_path(repository)
    if len(repository) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} characters"
    if domain is not None and not re.fullmatch(_DOMAIN, domain):
        return f'"{domain}" is no registry such as HOST or HOST:5000'
    if re.fullmatch(_PATH, path):
        return None
    if path != path.lower():
        return f'only a registry may have capital letters; did you mean "{repository.lower()}"?'
    return "between slashes stand lower-case letters and digits, with single . _ or dashes inside"


def domain_and_path(repository: str) -> tuple[str | None, str]:
    """Split off the registry: a first part with a dot, a port or a capital, or `localhost`."""
    first, slash, rest = repository.partition("/")
    is_domain = bool(set(first) & set(".:[")) or first == "localhost" or first != first.lower()
    return (first, rest) if slash and is_domain else (None, repository)


def _is_tag(tag: str) -> bool:
    return re.fullmatch(_TAG, tag) is not None


def _problem_of_digest(digest: str) -> str | None:
    algorithm, _, digits = digest.partition(":")
    if algorithm not in HEX_DIGITS:
        return f"a digest begins with one of {', '.join(f'{name}:' for name in HEX_DIGITS)}"
    wanted = HEX_DIGITS[algorithm]
    if not re.fullmatch(rf"[0-9a-f]{{{wanted}}}", digits):
        return f"an {algorithm} digest has {wanted} digits of 0-9 and a-f"
    return None
