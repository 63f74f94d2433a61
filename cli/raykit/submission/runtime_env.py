"""Reads and checks runtime environments, because Ray ignores keys that it does not know.

The keys and their types are those of Ray 2.60 (`ray.runtime_env.RuntimeEnv`). As in Ray's own
client, files that an environment names are read here: the head does not have them.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raykit.errors import UsageError
from raykit.submission.variables import is_text, problems_of, read_text, reason, shown

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
DEEPEST = 30
LARGEST_WHOLE = 2**63


def read_file(path: Path) -> RuntimeEnv:
    """The checked runtime environment of a YAML or JSON file.

    Errors: UsageError (2) with every problem.
    """
    data = _yaml(path, "the runtime environment")
    if not isinstance(data, dict):
        raise UsageError(
            f"the runtime environment {path} is not a mapping",
            next=f"its keys are {', '.join(KEYS)}",
        )
    return checked(data, str(path))


def checked(data: Mapping[str, Any], source: str) -> RuntimeEnv:
    """The same mapping, if Ray would understand all of it. source: names it in the error.

    Errors: UsageError (2) with every problem, for unknown keys with the nearest known one.
    """
    problems = [f"{key}: only one of {', '.join(EXCLUSIVE)}" for key in _too_many(data)]
    problems += _not_json(data)
    try:
        _Model.model_validate(dict(data))
    except ValidationError as error:
        problems += [_in_words(problem) for problem in error.errors()]
    else:
        env_vars = data.get("env_vars") or {}
        problems += [f"env_vars.{problem}" for problem in problems_of(env_vars)]
    if problems:
        raise UsageError(
            f"the runtime environment of {source} is wrong",
            evidence=list(dict.fromkeys(problems)),
            next=f"its keys are {', '.join(KEYS)}",
        )
    return dict(data)


def merged(base: Mapping[str, Any], env_vars: Mapping[str, str], pip: Sequence[str]) -> RuntimeEnv:
    """A runtime environment with the command line's additions and the content of local files.

    Errors: UsageError (2) if a file cannot be read, or with every problem of the result.
    """
    result = _with_files_read(base)
    if env_vars:
        result["env_vars"] = {**(base.get("env_vars") or {}), **env_vars}
    if pip:
        own = result.get("pip") or []
        if isinstance(own, dict):
            result["pip"] = {**own, "packages": [*own["packages"], *pip]}
        else:
            result["pip"] = [*own, *pip]
    return checked(result, "the options given")


def working_dir(base: Mapping[str, Any], given: Path | None) -> Path | None:
    """The folder to upload with a job: the given one, else the environment's if it is local."""
    named = base.get("working_dir")
    return given if given or not named or is_address(named) else Path(named)


def is_address(path: str) -> bool:
    """Whether a working directory or module is an address, which the head fetches by itself."""
    return "://" in path


def fingerprint(value: object) -> str:
    """A short hash of JSON data; equal data have equal hashes."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _with_files_read(base: Mapping[str, Any]) -> RuntimeEnv:
    """The environment with the content of its requirements and conda files."""
    result = dict(base)
    for key in ("pip", "uv"):
        if isinstance(base.get(key), str):
            result[key] = _requirements(Path(base[key]), key)
    conda = base.get("conda")
    if isinstance(conda, str) and conda.endswith((".yml", ".yaml")):
        result["conda"] = _yaml(Path(conda), "the conda environment")
    return result


def _requirements(path: Path, key: str) -> list[str]:
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{key} of the runtime environment names {path}, which cannot be read",
            evidence=[reason(error)],
            next=f"{key} takes a list of requirements, or a requirements file of this machine",
        ) from error
    return [line for line in lines if line and not line.startswith("#")]


def _yaml(path: Path, what: str) -> Any:
    """The data of a YAML or JSON file. Errors: UsageError (2)."""
    try:
        return yaml.load(read_text(path), _PlainLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(
            f"{what} {path} cannot be read",
            evidence=reason(error).splitlines(),
            next=f"write it as plain YAML or JSON; its keys are {', '.join(KEYS)}",
        ) from error


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, which can grow without bound, and repeated keys, which hide each other."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"line {self.line + 1}: aliases are not supported")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key.value} is repeated")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


def _not_json(value: object, place: str = "", depth: int = 0) -> Iterator[str]:
    """A line for each value that JSON cannot hold, with its path."""
    if depth > DEEPEST:
        yield f"{place}: is nested too deeply"
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            if not isinstance(key, str):
                yield f"{place or 'the top'}: the key {key!r} must be text: quote it"
                continue
            here = f"{place}.{shown(key)}" if place else shown(key)
            if not is_text(key):
                yield f"{here}: the key is not UTF-8"
            yield from _not_json(inside, here, depth + 1)
    elif isinstance(value, list | tuple):
        for at, inside in enumerate(value):
            yield from _not_json(inside, f"{place}[{at}]", depth + 1)
    elif isinstance(value, str):
        if not is_text(value):
            yield f"{place}: is not UTF-8, or holds a NUL"
    elif isinstance(value, int):
        if abs(value) > LARGEST_WHOLE:
            yield f"{place}: is too large a number"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{place}: must be a finite number"
    elif value is not None:
        yield f"{place}: is a {type(value).__name__}: quote it"


def _too_many(data: Mapping[str, Any]) -> list[str]:
    present = [key for key in EXCLUSIVE if data.get(key)]
    return present[1:]


def _in_words(problem: Any) -> str:
    """A problem that pydantic reports, without the value: it may be a secret."""
    place = ".".join(str(part) for part in problem["loc"] if part not in ("list[str]", "str"))
    place = shown(place)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, KEYS, n=1)
        return f"{place}: unknown" + (f", did you mean {near[0]}?" if near else "")
    if problem["type"] == "string_type":
        return f"{place}: must be text: quote it"
    return f"{place}: {problem['msg'].replace('Input should be', 'must be')}"
