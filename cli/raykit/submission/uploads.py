"""What goes to the head before the job: its folder, its modules, the kit's jobs where missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raykit import kit
from raykit.errors import UsageError
from raykit.progress import Progress
from raykit.submission import packaging
from raykit.submission.entrypoints import Entrypoint
from raykit.submission.transport import Transport


def check(entrypoint: Entrypoint, runtime_env: Mapping[str, Any]) -> None:
    """Refuse what could not be sent, before a head is started or asked.

    Errors: UsageError (2).
    """
    folder = _folder(entrypoint, runtime_env)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"the working directory {folder} is no folder")
    missing = [path for path in _modules(runtime_env) if not _is_uri(path) and not _is_module(path)]
    if missing:
        raise UsageError("py_modules names what is no folder", evidence=missing)


def send(
    transport: Transport,
    entrypoint: Entrypoint,
    runtime_env: Mapping[str, Any],
    has_kit: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Upload folders that the head lacks; the runtime environment with addresses in their place.

    Errors: UsageError (2) where a folder cannot be packed or is too big, JobsApiError (6).
    """
    result = dict(runtime_env)
    folder = _folder(entrypoint, runtime_env)
    excludes = result.pop("excludes", None) or ()
    if folder is not None:
        package = packaging.pack(folder, excludes=excludes)
        result["working_dir"] = _upload(transport, package, f"upload {folder.name}/", progress)
    modules = []
    for path in _modules(runtime_env):
        if not _is_uri(path):
            package = packaging.pack(Path(path), excludes=excludes, top=Path(path).resolve().name)
            path = _upload(transport, package, f"upload {path}", progress)  # noqa: PLW2901
        modules.append(path)
    if entrypoint.of_kit and not has_kit:
        package = packaging.pack(kit.root() / "jobs", top="jobs")
        modules.append(_upload(transport, package, "upload raykit's jobs", progress))
    if modules:
        result["py_modules"] = modules
    return result


def _upload(
    transport: Transport, package: packaging.Package, title: str, progress: Progress
) -> str:
    def show(sent: int, total: int) -> None:
        progress.detail(f"{sent / 1024**2:.1f} of {total / 1024**2:.1f} MiB")

    with package.archive, progress.step("upload", title):
        packaging.upload(transport, package, show)
    return package.uri


def _folder(entrypoint: Entrypoint, runtime_env: Mapping[str, Any]) -> Path | None:
    if entrypoint.working_dir is not None:
        return entrypoint.working_dir
    named = runtime_env.get("working_dir")
    return Path(named) if named and not _is_uri(named) else None


def _modules(runtime_env: Mapping[str, Any]) -> list[str]:
    return list(runtime_env.get("py_modules") or [])


def _is_uri(path: str) -> bool:
    return "://" in path


def _is_module(path: str) -> bool:
    return Path(path).is_dir()
