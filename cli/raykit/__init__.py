"""raykit deploys Ray clusters on Kubernetes and measures them.

`from raykit import submit, attach, runs` offers the main commands to Python programs. They are
imported on first use, so that `import raykit` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raykit.versions import RAYKIT as __version__

if TYPE_CHECKING:
    from raykit.api import attach, runs, submit

__all__ = ["__version__", "attach", "runs", "submit"]


def __getattr__(name: str) -> Any:
    if name in ("submit", "attach", "runs"):
        from raykit import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
