"""The user's kubeconfig: read and merged as kubectl does, each fault named with its place."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from raykit.errors import MissingError
from raykit.kube import credentials
from raykit.kube.contexts import kind_cluster

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig

DEFAULT = "~/.kube/config"
SECTIONS = ("clusters", "contexts", "users")
FILES_OF = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
"""Keys whose relative paths are meant from the folder of the kubeconfig that holds them."""

Entry = dict[str, Any]


@dataclass
class Kubeconfig:
    """All files of KUBECONFIG as one; of two entries of a name the first counts."""

    current: str | None = None
    clusters: dict[str, Entry] = field(default_factory=dict)
    contexts: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """One context, ready to be connected to.

    namespace: None where the context names none. proxy: the cluster's own `proxy-url`.
    """

    context: str
    namespace: str | None
    server: str
    config: SingleConfig
    proxy: str | None = None


def paths() -> list[Path]:
    """The files that kubectl would read, existing or not."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in named or [DEFAULT]]


def load() -> Kubeconfig | None:
    """The merged kubeconfig; None where there is no file at all.

    Errors: MissingError (4) naming file and line.
    """
    files = [path for path in paths() if path.is_file()]
    if not files:
        return None
    merged = Kubeconfig()
    for path in files:
        _merge(merged, path, _read(path))
    return merged


def has_context() -> bool:
    """Whether there is a kubeconfig with a current context."""
    merged = load()
    return bool(merged and merged.current)


def access(context: str | None = None) -> Access:
    """How to reach a context, by default the current one.

    Errors: MissingError (4): no kubeconfig, a malformed one, no such context.
    """
    merged = load()
    if merged is None:
        raise MissingError(
            "there is no kubeconfig",
            evidence=[f"{path} does not exist" for path in paths()],
            next="raykit kind up   (or set KUBECONFIG)",
        )
    name = context or merged.current
    if not name:
        raise MissingError(
            "the kubeconfig has no current context",
            evidence=_known(merged.contexts),
            next="kubectl config use-context NAME   (or raykit … --context NAME)",
        )
    if name not in merged.contexts:
        raise _no_context(name, merged.contexts)
    return _access(merged, name)


def _access(merged: Kubeconfig, name: str) -> Access:
    from lightkube.config.kubeconfig import KubeConfig

    context = merged.contexts[name]
    cluster = _entry(merged.clusters, context.get("cluster"), "cluster", name)
    user = _entry(merged.users, context.get("user"), "user", name) if context.get("user") else {}
    user = credentials.resolved(user, cluster)
    try:
        single = KubeConfig.from_dict(
            {
                "contexts": [{"name": name, "context": {**context, "user": "user"}}],
                "clusters": [{"name": context["cluster"], "cluster": cluster}],
                "users": [{"name": "user", "user": user}],
            }
        ).get(name)
    except (ValueError, TypeError) as wrong:
        raise MissingError(
            f"the kubeconfig's context {name} is malformed", evidence=[str(wrong)]
        ) from wrong
    assert single is not None
    return Access(
        name,
        context.get("namespace") or None,
        single.cluster.server,
        single,
        cluster.get("proxy-url"),
    )


def _entry(known: dict[str, Entry], wanted: Any, what: str, context: str) -> Entry:
    if wanted not in known:
        raise MissingError(
            f"the kubeconfig's context {context} names a {what} that is not there: {wanted}",
            evidence=_known(known),
            next="kubectl config view",
        )
    return known[wanted]


def _read(path: Path) -> Entry:
    try:
        text = path.read_text("utf-8")
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = mark.line + 1 if mark else 1
        raise _malformed(f"{path}:{line}", str(wrong.problem or wrong.context)) from wrong
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise _malformed(f"{path}:1", str(wrong).splitlines()[0]) from wrong
    except OSError as wrong:
        raise MissingError(f"cannot read the kubeconfig {path}", evidence=[str(wrong)]) from wrong
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _malformed(f"{path}:1", "it is not a mapping")
    return content


def _merge(merged: Kubeconfig, path: Path, content: Entry) -> None:
    merged.current = merged.current or content.get("current-context") or None
    for section in SECTIONS:
        singular = section.removesuffix("s")
        for item in _items(content, section, path):
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise _malformed(
                    f"{path}:{_line(path, section)}", f"an entry of {section} has no name"
                )
            entry = item.get(singular)
            if not isinstance(entry, dict):
                entry = {}
            known = getattr(merged, section)
            known.setdefault(item["name"], _absolute(entry, section, path.parent))


def _items(content: Entry, section: str, path: Path) -> Sequence[Any]:
    items = content.get(section) or []
    if not isinstance(items, list):
        raise _malformed(f"{path}:{_line(path, section)}", f"{section} is not a list")
    return items


def _absolute(entry: Entry, section: str, folder: Path) -> Entry:
    changed: Entry = {
        key: str(folder / entry[key]) for key in FILES_OF.get(section, ()) if entry.get(key)
    }
    command = (entry.get("exec") or {}).get("command", "") if section == "users" else ""
    if "/" in command and not Path(command).is_absolute():
        changed["exec"] = {**entry["exec"], "command": str(folder / command)}
    return {**entry, **changed}


def _line(path: Path, section: str) -> int:
    lines = path.read_text("utf-8", "replace").splitlines()
    return next((at for at, line in enumerate(lines, 1) if line.startswith(section)), 1)


def _malformed(place: str, problem: str) -> MissingError:
    return MissingError(
        f"the kubeconfig is malformed at {place}", evidence=[problem], next="kubectl config view"
    )


def _no_context(name: str, contexts: dict[str, Entry]) -> MissingError:
    near = difflib.get_close_matches(name, contexts, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}?" if near else ""
    ours = kind_cluster(name) is not None and not near
    return MissingError(
        f"the kubeconfig has no context {name}",
        evidence=[text for text in (meant, *_known(contexts)) if text],
        next="raykit kind up" if ours else "kubectl config get-contexts",
    )


def _known(names: dict[str, Entry]) -> list[str]:
    return [f"there are: {', '.join(sorted(names))}"] if names else ["there are none"]
