"""Uploads what a job needs on the head: its folder, its modules, and raykit's jobs if missing.

Ray puts the uploaded folder first on the import path of every process of the job. If the folder
holds a `random.py`, Ray imports that one too; its workers then never start, and the job stays
PENDING for minutes. Such files are refused by name.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykit import files, kit
from raykit.errors import ConflictError, MissingError, UsageError
from raykit.progress import Progress
from raykit.submission import packaging, runtime_env
from raykit.submission.entrypoints import Entrypoint
from raykit.submission.packaging import Member, Package
from raykit.submission.transport import Transport

SHOWN = 10

_PYTHON = """
    argparse array ast asyncio base64 bdb binascii bisect bz2 calendar cmd code codeop collections
    colorsys concurrent contextlib contextvars copy copyreg csv ctypes dataclasses datetime decimal
    dis email encodings enum fcntl fnmatch fractions functools gettext glob grp hashlib heapq hmac
    html http importlib inspect ipaddress json keyword linecache locale logging lzma math mimetypes
    mmap multiprocessing netrc numbers opcode operator optparse pathlib pdb pickle pkgutil platform
    pprint queue quopri random re reprlib resource secrets select selectors shlex shutil signal
    socket ssl string stringprep struct subprocess sysconfig tarfile tempfile textwrap threading
    token tokenize traceback tracemalloc types typing unicodedata urllib uuid warnings weakref
    zipfile zlib zoneinfo
"""
_RAY = """
    aiohappyeyeballs aiohttp aiosignal annotated_types attr attrs certifi charset_normalizer click
    colorama filelock frozenlist google grpc idna jsonschema jsonschema_specifications msgpack
    multidict numpy packaging propcache psutil pydantic pydantic_core ray referencing requests rpds
    setproctitle typing_extensions typing_inspection urllib3 yaml yarl
"""
LOADED_BY_WORKERS = frozenset(_PYTHON.split()) | frozenset(_RAY.split())
"""Modules that a worker and a job's supervisor of Ray 2.60 import before the driver starts."""


@dataclass(frozen=True)
class Source:
    """Where a package comes from. package: Ray's name for it; the rest: as in `Folder`."""

    package: str
    path: str
    title: str
    top: str
    excludes: list[str]
    script: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Source:
        """The source of JSON data. Errors: TypeError, ValueError for unknown or mistyped fields."""
        source = cls(**data)
        texts = [source.package, source.path, source.title, source.top, source.script or ""]
        if not all(isinstance(text, str) for text in [*texts, *source.excludes]):
            raise ValueError("unusable fields of a package's source")
        return source


@dataclass(frozen=True)
class Folder:
    """A folder to upload.

    title: of the step; top: its name inside the package, if it has one. excludes, script: as
    `packaging.collect` takes them.
    """

    path: Path
    members: Sequence[Member]
    title: str
    top: str = ""
    excludes: Sequence[str] = ()
    script: str | None = None

    def source(self, package: Package) -> Source:
        """Where a package of this folder comes from, by which it can be packed again."""
        return Source(
            packaging.name_of(package),
            str(self.path.resolve()),
            self.title,
            self.top,
            list(self.excludes),
            self.script,
        )


@dataclass(frozen=True)
class Upload:
    """Folders that a submission uploads, checked; a module may be an address for Ray instead."""

    working_dir: Folder | None
    modules: Sequence[Folder | str]

    def send(
        self, transport: Transport, environment: Mapping[str, Any], progress: Progress
    ) -> dict[str, Any]:
        """Upload what the head lacks; return the runtime environment that names the uploads.

        Errors: UsageError (2) if a folder is too big; JobsApiError (6).
        """
        with self.packed(environment) as packed:
            packed.send(transport, progress)
            return packed.environment

    @contextlib.contextmanager
    def packed(self, environment: Mapping[str, Any]) -> Iterator[Packed]:
        """The folders as packages, before there is a head: their names are those of their content.

        Errors: UsageError (2) if a folder is too big, MissingError (4) if the disk is full.
        """
        result = {key: value for key, value in environment.items() if key != "excludes"}
        packages: list[tuple[Folder, Package]] = []
        with contextlib.ExitStack() as archives:

            def pack(folder: Folder) -> str:
                package = packaging.pack(folder.path, folder.members, top=folder.top)
                archives.enter_context(package.archive)
                packages.append((folder, package))
                return package.uri

            if self.working_dir:
                result["working_dir"] = pack(self.working_dir)
            if self.modules:
                result["py_modules"] = [
                    module if isinstance(module, str) else pack(module) for module in self.modules
                ]
            yield Packed(result, packages)


@dataclass(frozen=True)
class Packed:
    """Packed folders. environment: the runtime environment that names them."""

    environment: dict[str, Any]
    packages: Sequence[tuple[Folder, Package]]

    @property
    def names(self) -> list[str]:
        """Ray's names for the packages."""
        return [packaging.name_of(package) for _, package in self.packages]

    @property
    def sources(self) -> list[Source]:
        """Where the packages come from."""
        return [folder.source(package) for folder, package in self.packages]

    def is_missing(self, transport: Transport) -> bool:
        """Whether the head lacks one of the packages. Errors: LostConnectionError (6)."""
        return not all(packaging.is_there(transport, package) for _, package in self.packages)

    def send(self, transport: Transport, progress: Progress) -> None:
        """Upload what the head lacks. Errors: JobsApiError (6)."""

        def show(sent: int, total: int) -> None:
            progress.detail(f"{sent / 1024**2:.1f} of {total / 1024**2:.1f} MiB")

        for folder, package in self.packages:
            with progress.step("upload", folder.title):
                packaging.upload(transport, package, show)


@contextlib.contextmanager
def packed_again(sources: Sequence[Source]) -> Iterator[Packed]:
    """The packages of an earlier submission, from the same folders with the same content.

    Errors: MissingError (4) if a folder is gone; ConflictError (8) if its content is another one;
    UsageError (2) if it cannot be packed any more.
    """
    packages = []
    with contextlib.ExitStack() as archives:
        for source in sources:
            folder = _folder_of(source)
            package = packaging.pack(folder.path, folder.members, top=folder.top)
            archives.enter_context(package.archive)
            if packaging.name_of(package) != source.package:
                raise ConflictError(
                    f"the code in {folder.path} has changed since it was submitted",
                    evidence=[f"then {source.package}, now {packaging.name_of(package)}"],
                )
            packages.append((folder, package))
        yield Packed({}, packages)


def _folder_of(source: Source) -> Folder:
    """The folder of a package as it is now. Errors: MissingError (4) if it is gone."""
    path, excludes, script = Path(source.path), source.excludes, source.script
    if not path.is_dir() or (script is not None and not (path / script).is_file()):
        raise MissingError(f"the code that was submitted is not here any more: {path}")
    members = packaging.collect(path, excludes, script)
    return Folder(path, members, source.title, source.top, excludes, script)


def plan(entrypoint: Entrypoint, environment: Mapping[str, Any]) -> Upload:
    """Read and check the folders of a submission, before a head is started or asked.

    Errors: UsageError (2) if a folder is missing or cannot be packed, if two different working
    directories are named, or if a file would keep Ray's workers from starting.
    """
    excludes = environment.get("excludes") or ()
    folder = _working_dir(entrypoint, environment)
    working_dir = None
    if folder is not None:
        members = packaging.collect(folder, excludes, entrypoint.script)
        title = f"upload {folder.resolve().name or folder}/"
        script = entrypoint.script
        working_dir = Folder(folder, members, title, excludes=excludes, script=script)
    modules = list(_modules(environment, excludes))
    if entrypoint.needs_our_jobs:
        jobs = kit.root() / "jobs"
        modules.append(Folder(jobs, packaging.collect(jobs), "upload raykit's jobs", "jobs"))
    folders = [module for module in modules if isinstance(module, Folder)]
    _refuse_hidden_modules([working_dir, *folders])
    return Upload(working_dir, modules)


def _working_dir(entrypoint: Entrypoint, environment: Mapping[str, Any]) -> Path | None:
    """The folder to upload: the entrypoint's, else the runtime environment's.

    Errors: UsageError (2) if it is no folder, or both are named and differ.
    """
    named = environment.get("working_dir")
    folder = entrypoint.working_dir
    local = None if not named or runtime_env.is_address(named) else Path(named)
    if folder is None and local is None:
        return None
    chosen = folder or local
    assert chosen is not None
    if not chosen.is_dir():
        raise UsageError(
            f"the working directory {chosen} is no folder",
            next="--working-dir takes a folder of this machine",
        )
    if named and (local is None or files.resolved(local) != files.resolved(chosen)):
        raise UsageError(
            "the job has two working directories",
            evidence=[f"{chosen} of the command", f"{named} of the runtime environment"],
            next="leave working_dir out of the runtime environment, or give both the same folder",
        )
    return chosen


def _modules(environment: Mapping[str, Any], excludes: Sequence[str]) -> Iterator[Folder | str]:
    named = environment.get("py_modules") or []
    missing = [
        path for path in named if not runtime_env.is_address(path) and not Path(path).is_dir()
    ]
    if missing:
        raise UsageError(
            "py_modules names paths that are no folders",
            evidence=missing,
            next="py_modules takes folders of this machine, or addresses such as s3://…/x.zip",
        )
    for path in named:
        if runtime_env.is_address(path):
            yield path
        else:
            folder = Path(path)
            members = packaging.collect(folder, excludes)
            yield Folder(folder, members, f"upload {path}", folder.resolve().name, excludes)


def _refuse_hidden_modules(folders: Iterable[Folder | None]) -> None:
    lines = [line for folder in folders if folder for line in hidden_modules(folder)]
    if lines:
        more = [f"and {len(lines) - SHOWN} more"] if lines[SHOWN:] else []
        raise UsageError(
            "the upload hides modules that Ray's workers need to start",
            evidence=[*lines[:SHOWN], *more],
            next="rename them, name them in a .rayignore, or choose another --working-dir",
        )


def hidden_modules(folder: Folder) -> list[str]:
    """One line for each file or package of an upload that hides a module that Ray imports.

    A folder without `__init__.py` hides nothing: Python prefers a module later on its path.
    """
    top = f"{folder.top}/" if folder.top else ""
    paths = [top + member.path for member in folder.members]
    return [f"{path} hides {_whose(name)} {name}" for path in paths if (name := _module(path))]


def _module(path: str) -> str | None:
    """The module of Python or Ray that a path of an upload hides; None if it hides none."""
    name = path.removesuffix("/__init__.py") if path.endswith("/__init__.py") else _stem(path)
    if name is None:
        return None
    private = name.startswith("_") and name in sys.stdlib_module_names
    return name if name in LOADED_BY_WORKERS or private else None


def _stem(path: str) -> str | None:
    """The module that a file is: of Python, compiled (`x.pyc`), or built for some Python and
    system (`x.so`, `x.cpython-311-x86_64-linux-gnu.so`); None if it is no module."""
    name, _, ending = path.partition(".")
    return name if ending in ("py", "pyc") or f".{ending}".endswith(".so") else None


def _whose(name: str) -> str:
    return "Python's" if name in sys.stdlib_module_names else "Ray's"
