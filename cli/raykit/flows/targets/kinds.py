"""The kinds of targets: a local head, a RayCluster; a head at an address is in `address`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from raykit.endpoint import Endpoint
from raykit.local import heads, warm
from raykit.progress import Progress

if TYPE_CHECKING:
    from raykit.kuberay.raycluster import Cluster


class Target(Protocol):
    """Where a job runs.

    reason: why this target was chosen. on_this_machine: its jobs see this machine's files.
    has_our_jobs: raykit's own jobs are installed there. ends_with_job: it is started for one
    submission and ends after it.
    """

    @property
    def reason(self) -> str: ...

    @property
    def on_this_machine(self) -> bool: ...

    @property
    def has_our_jobs(self) -> bool: ...

    @property
    def ends_with_job(self) -> bool: ...

    def open(self, progress: Progress) -> contextlib.AbstractContextManager[Endpoint]:
        """The head's endpoint, which works while the block lasts.

        Errors: those of reaching the head (4, 5, 6).
        """

    def observe(self) -> dict[str, Any]:
        """What a record keeps of the cluster, such as its Kubernetes nodes; empty if nothing."""


@dataclass(frozen=True)
class OwnHead:
    """A local head that is started for one submission."""

    reason: str
    on_this_machine: bool = True
    has_our_jobs: bool = True
    ends_with_job: bool = True

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
    on_this_machine: bool = True
    has_our_jobs: bool = True
    ends_with_job: bool = False

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        progress.detail(self.head.url)
        yield self.head.head().endpoint()

    def observe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class OnKubernetes:
    """Any RayCluster, reached through the API server.

    patience: seconds to wait for a head that comes up, such as that of a cluster from git.
    """

    cluster: Cluster
    reason: str
    patience: float = 0.0
    on_this_machine: bool = False
    ends_with_job: bool = False

    @property
    def has_our_jobs(self) -> bool:
        """Whether the cluster runs an image that raykit built, with these very jobs if pushed."""
        from raykit.containers import image
        from raykit.kuberay.pods import ray_image

        return image.has_jobs(ray_image(self.cluster.item))

    @contextlib.contextmanager
    def open(self, progress: Progress) -> Iterator[Endpoint]:
        from raykit.kuberay import raycluster
        from raykit.kuberay.reach import reach

        with contextlib.ExitStack() as way:
            with progress.step("reach", f"Ray head of {self.cluster.where}"):
                cluster = self.cluster
                if self.patience:
                    cluster = raycluster.wait_for_head(cluster, progress, self.patience)
                endpoint = way.enter_context(reach(cluster, progress))
            yield endpoint

    def observe(self) -> dict[str, Any]:
        from raykit.kuberay import observed

        return observed.observe(self.cluster)


def patient(target: Target, seconds: float) -> Target:
    """The target for a job, which may wait for a head that comes up. seconds: for how long."""
    return replace(target, patience=seconds) if isinstance(target, OnKubernetes) else target
