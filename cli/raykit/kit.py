"""The folder of the kit (jobs, Dockerfile, deploy files): in a clone or in an installed wheel."""

from __future__ import annotations

import re
from pathlib import Path

IN_IMAGE = "/opt/raykit"
"""The folder that holds `jobs/` in raykit's own image (see Dockerfile)."""

OPTION = re.compile(r'"(--[a-z][a-z0-9-]*)"')


def root() -> Path:
    """The folder that holds `jobs/`, `Dockerfile` and `deploy/`.

    Inside a wheel that is `raykit/_kit`; in a clone it is the top of the clone.
    """
    package = Path(__file__).resolve().parent
    packed = package / "_kit"
    return packed if packed.is_dir() else package.parents[1]


def jobs() -> list[str]:
    """Sorted names of the kit's jobs: those that `python -m jobs.NAME` can run.

    A job is a module of `jobs/` with a `main`, or a package with a `__main__`.
    """
    folder = root() / "jobs"
    modules = (path for path in folder.glob("*.py") if not path.name.startswith("_"))
    names = [path.stem for path in modules if "\ndef main(" in path.read_text("utf-8")]
    return sorted(names + [path.parent.name for path in folder.glob("*/__main__.py")])


def takes_option(job: str, option: str) -> bool:
    """Whether the source of a job declares a command-line option, such as `--seconds`."""
    return option in options(job)


def options(job: str) -> list[str]:
    """Sorted command-line options that the source of a job declares; none for other names."""
    if job not in jobs():
        return []
    folder, module = root() / "jobs" / job, root() / "jobs" / f"{job}.py"
    sources = [*folder.glob("*.py"), *([module] if module.is_file() else [])]
    texts = (source.read_text("utf-8") for source in sources)
    return sorted({option for text in texts for option in OPTION.findall(text)})
