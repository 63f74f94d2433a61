"""Where the kit lies: jobs, Dockerfile and shapes, in a clone or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """The folder that holds `jobs/`, `Dockerfile` and `deploy/`.

    Inside a wheel that is `raykit/_kit`; in a clone it is the top of the clone.
    """
    package = Path(__file__).resolve().parent
    packed = package / "_kit"
    return packed if packed.is_dir() else package.parents[1]


def jobs() -> list[str]:
    """Names of the jobs that come with the kit: the modules of `jobs/` that have a `main`."""
    modules = (path for path in (root() / "jobs").glob("*.py") if not path.name.startswith("_"))
    return sorted(path.stem for path in modules if "\ndef main(" in path.read_text("utf-8"))
