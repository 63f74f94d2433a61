"""The places where a job can run: a local head, a RayCluster; `address` has the third kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from raykit.endpoint import Endpoint
from raykit.local import heads, warm
from raykit.progress import Progress

if TYPE_CHECKING:
    from raykit.kuberay.raycluster import Cluster


class Target(Protocol):
    """A place to run jobs.

    owned: it lives for one submission, and a job ends with it. has_kit: raykit's jobs are there.
    here: it is on this machine and sees the same files.
    """

    @property
    def here(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def has_kit(self) -> bool: ...

    @property
    def owned(self) -> bool: ...

    def open(self, progress: Progress) -> contextlib.AbstractContextManager[Endpoint]:
        """The endpoint to speak to while the block lasts."""

    def observe(self) -> dict[str, Any]:
        """What a record keeps of the cluster's side, such as its Kubernetes nodes."""


@dataclass(frozen=True)
class OwnHead:
    """A local head that lives for one submission."""

    reason: str
    owned: bool = True
    has_kit: bool = True
    here: bool = True

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        with heads.head(progress) as head:
            yield head.endpoint()

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class WarmLocal:
    """A local head that stays between submissions."""

    head: warm.WarmHead
    reason: str
    owned: bool = False
    has_kit: bool = True
    here: bool = True

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        progress.detail(self.head.url)
        yield self.head.head().endpoint()

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class OnKubernetes:
    """A RayCluster, whoever made it, through the API server."""

    cluster: Cluster
    reason: str
    owned: bool = False
    here: bool = False

    @property
    def has_kit(self) -> bool:
        """Whether the cluster runs an image that raykit built."""
        from raykit.containers import image
        from raykit.kuberay.pods import ray_image

        return image.is_own(ray_image(self.cluster.item))

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        from raykit.kuberay.reach import reach

        with contextlib.ExitStack() as way:
            with progress.step("reach", f"Ray head of {self.cluster.where}"):
                endpoint = way.enter_context(reach(self.cluster, progress))
            yield endpoint

    def observe(self) -> dict[str, Any]:
        from raykit.kuberay import observed

        return observed.observe(self.cluster)
