"""Runtime environments, checked here because Ray ignores keys that it does not know.

The keys and their types are those of Ray 2.60 (`ray.runtime_env.RuntimeEnv`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raykit.errors import UsageError

RuntimeEnv = dict[str, Any]
Words = list[str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Pip(_Strict):
    packages: Words
    pip_check: bool = False
    pip_version: str | None = None
    pip_install_options: Words | None = None


class _Uv(_Strict):
    packages: Words
    uv_version: str | None = None
    uv_check: bool = False
    uv_pip_install_options: Words | None = None


class _Config(_Strict):
    setup_timeout_seconds: int = 600
    eager_install: bool = True
    log_files: Words | None = None


class _Container(_Strict):
    image: str
    worker_path: str | None = None
    run_options: Words | None = None


class _Model(_Strict):
    working_dir: str | None = None
    py_modules: Words | None = None
    excludes: Words | None = None
    env_vars: dict[str, str] | None = None
    pip: Annotated[Words | str | _Pip, Field(union_mode="smart")] | None = None
    uv: Annotated[Words | str | _Uv, Field(union_mode="smart")] | None = None
    conda: str | dict[str, Any] | None = None
    container: _Container | None = None
    image_uri: str | None = None
    py_executable: str | None = None
    java_jars: Words | None = None
    config: _Config | None = None
    worker_process_setup_hook: str | None = None
    nsight: str | dict[str, str] | None = Field(None, alias="_nsight")


KEYS = sorted(field.alias or name for name, field in _Model.model_fields.items())
EXCLUSIVE = ("pip", "uv", "conda")


def read_file(path: Path) -> RuntimeEnv:
    """A runtime environment from a YAML or JSON file, checked.

    Errors: UsageError (2) with every problem.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"the runtime environment {path} cannot be read", evidence=str(error).splitlines()
        ) from error
    if not isinstance(data, dict):
        raise UsageError(
            f"the runtime environment {path} is no mapping",
            next=f"its keys are {', '.join(KEYS)}",
        )
    return checked(data, str(path))


def checked(data: Mapping[str, Any], source: str) -> RuntimeEnv:
    """The same mapping, where Ray would understand all of it.

    Errors: UsageError (2) with every problem, unknown keys with the nearest known one.
    """
    problems = [f"{key}: only one of {', '.join(EXCLUSIVE)}" for key in _too_many(data)]
    try:
        _Model.model_validate(dict(data))
    except ValidationError as error:
        problems += [_told(problem) for problem in error.errors()]
    if problems:
        raise UsageError(
            f"the runtime environment of {source} is wrong",
            evidence=list(dict.fromkeys(problems)),
            next=f"its keys are {', '.join(KEYS)}",
        )
    return dict(data)


def merged(base: Mapping[str, Any], env_vars: Mapping[str, str], pip: Sequence[str]) -> RuntimeEnv:
    """A runtime environment with what the command line adds."""
    result = dict(base)
    if env_vars:
        result["env_vars"] = {**(base.get("env_vars") or {}), **env_vars}
    if pip:
        own = base.get("pip") or []
        if isinstance(own, dict):
            result["pip"] = {**own, "packages": [*own["packages"], *pip]}
        elif isinstance(own, str):
            raise UsageError("--pip cannot be added to a runtime environment whose pip is a file")
        else:
            result["pip"] = [*own, *pip]
    return result


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """K=V words as a mapping. Errors: UsageError (2) for words without `=`."""
    wrong = [word for word in words if "=" not in word or word.startswith("=")]
    if wrong:
        raise UsageError(f"{option} takes KEY=VALUE", evidence=wrong)
    return dict(word.split("=", 1) for word in words)


def env_file(path: Path) -> dict[str, str]:
    """KEY=VALUE lines; blank lines and lines that begin with # are passed over.

    Errors: UsageError (2) naming the lines.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", evidence=[str(error)]) from error
    own = [line.strip() for line in lines]
    return pairs([line for line in own if line and not line.startswith("#")], f"{path}:")


def fingerprint(value: object) -> str:
    """A short hash of JSON data: two payloads are the same where theirs are."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _too_many(data: Mapping[str, Any]) -> list[str]:
    present = [key for key in EXCLUSIVE if data.get(key)]
    return present[1:]


def _told(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"] if part not in ("list[str]", "str"))
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, KEYS, n=1)
        return f"{place}: unknown" + (f", did you mean {near[0]}?" if near else "")
    return f"{place}: {problem['msg']}, got {problem['input']!r}"
