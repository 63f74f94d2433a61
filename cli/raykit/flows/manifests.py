"""Manifests in git: each shape rendered into a folder for Kustomize, and what has drifted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raykit.containers import image as own_image
from raykit.errors import ConflictError, MissingError
from raykit.kube.connection import DEFAULT_NAMESPACE
from raykit.manifests.render import render, to_yaml
from raykit.spec.load import load_file

MANIFEST, KUSTOMIZATION = "raycluster.yaml", "kustomization.yaml"
NOTE = (
    "# Rendered from deploy/clusters/{shape}.yaml by `make render`: change that file, not this.\n"
)
RESOURCES = f"""# Where `raykit up` puts it. First: kubectl create namespace {DEFAULT_NAMESPACE}
# An overlay may name another namespace.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {DEFAULT_NAMESPACE}
resources:
- {MANIFEST}
"""


@dataclass(frozen=True)
class Base:
    """The folder that holds a folder a shape, and what each file in it should be.

    files: texts by their path below the folder. Files that are not named here are left alone.
    """

    folder: Path
    files: dict[str, str]

    def drifted(self) -> list[str]:
        """Paths whose text on disk is not the one rendered."""
        return [name for name, text in self.files.items() if _text(self.folder / name) != text]


def write(clusters: Path, base: Path, image: str | None = None) -> list[Path]:
    """Render every spec of a folder, and write what differs; the files written.

    image: in the pods of specs that name none; raykit's own, as its files are now, by default.

    Errors: SpecError (3); MissingError (4) where a file cannot be written.
    """
    wanted = rendered(clusters, base, image)
    return [_write(wanted.folder / name, wanted.files[name]) for name in wanted.drifted()]


def check(clusters: Path, base: Path, image: str | None = None) -> None:
    """Errors: ConflictError (8) naming each file that is not what its spec renders to."""
    differing = rendered(clusters, base, image).drifted()
    if differing:
        raise ConflictError(
            f"{base} is not what {clusters} renders to", evidence=differing, next="make render"
        )


def rendered(clusters: Path, base: Path, image: str | None = None) -> Base:
    """What the base folder should hold. Errors: SpecError (3) for the first spec that is wrong."""
    image = image or own_image.reference()
    files = {}
    for path in sorted(clusters.glob("*.yaml")):
        shape, note = path.stem, NOTE.format(shape=path.stem)
        files[f"{shape}/{MANIFEST}"] = note + to_yaml(render(load_file(path), image=image))
        files[f"{shape}/{KUSTOMIZATION}"] = note + RESOURCES
    return Base(base, files)


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise MissingError(
            f"{path} cannot be written",
            evidence=[error.strerror or str(error)],
            next="free space, or name another folder with --base",
        ) from error
    return path


def _text(path: Path) -> str | None:
    """A file's text; None where there is none that can be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None
