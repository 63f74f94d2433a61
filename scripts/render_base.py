"""Render `deploy/clusters/*.yaml` into `deploy/base/<shape>/`, or say what has drifted.

    python scripts/render_base.py            # write
    python scripts/render_base.py --check    # write nothing; exit 8 where a file differs

The image is raykit's own as of now, so that a change of `jobs/` is a change here. Files that this
script does not write are left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from raykit import kit
from raykit.errors import ConflictError, RaykitError
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


def rendered(clusters: Path, image: str) -> dict[str, str]:
    """The text of each file, by its path below the base folder."""
    files = {}
    for path in sorted(clusters.glob("*.yaml")):
        shape, note = path.stem, NOTE.format(shape=path.stem)
        files[f"{shape}/{MANIFEST}"] = note + to_yaml(render(load_file(path), image=image))
        files[f"{shape}/{KUSTOMIZATION}"] = note + RESOURCES
    return files


def drifted(files: dict[str, str], base: Path) -> list[str]:
    """Paths whose text below the base folder is not the one rendered."""
    return [name for name, text in files.items() if _text(base / name) != text]


def write(files: dict[str, str], base: Path) -> None:
    """Write what differs."""
    for name in drifted(files, base):
        target = base / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[name], "utf-8")
        print(target)


def main() -> None:
    """Write the base folder, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 8 on drift")
    parser.add_argument("--image", help="instead of raykit's own image as of now")
    parser.add_argument("--clusters", type=Path, default=kit.root() / "deploy" / "clusters")
    parser.add_argument("--base", type=Path, default=kit.root() / "deploy" / "base")
    options = parser.parse_args()
    try:
        _render(options)
    except RaykitError as error:
        print("\n".join([f"error: {error.what}", *error.evidence, f"next: {error.next}"]))
        sys.exit(error.exit_code)


def _render(options: argparse.Namespace) -> None:
    files = rendered(options.clusters, options.image or _own_image())
    if not options.check:
        write(files, options.base)
        return
    differing = drifted(files, options.base)
    if differing:
        raise ConflictError(
            f"{options.base} is not what deploy/clusters renders to",
            evidence=differing,
            next="make render",
        )


def _own_image() -> str:
    from raykit.containers.image import reference

    return reference()


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


if __name__ == "__main__":
    main()
