"""raykit deploys Ray clusters on Kubernetes and measures them.

`from raykit import submit, attach, runs` gives the command line's flows to Python programs;
`import raykit` alone loads none of what they need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raykit.flows.api import attach, runs, submit

__version__ = "0.1.0"
__all__ = ["__version__", "attach", "runs", "submit"]


def __getattr__(name: str) -> Any:
    if name in ("submit", "attach", "runs"):
        from raykit.flows import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
