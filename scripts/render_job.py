"""Render `deploy/gitops/jobs/fib.yaml`, the RayJob for the cluster of `deploy/overlays/dev`.

    python scripts/render_job.py            # write
    python scripts/render_job.py --check    # write nothing; exit 8 if the file differs

It is what `raykit render --job fib` prints for the overlay's namespace and image.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from raykit import kit
from raykit.errors import RaykitError
from raykit.flows.manifests import KUSTOMIZATION, Folder
from raykit.manifests.render import render, to_yaml
from raykit.spec.load import load_file, overridden

DEPLOY = kit.root() / "deploy"
SPEC, JOB = DEPLOY / "clusters" / "single-node.yaml", "fib"
NOTE = """\
# Rendered from deploy/clusters/single-node.yaml by `make render`: change that file, not this.
# Its name ends with a hash of what it runs, so that one content runs once.
"""


def folder(path: Path, overlay: Path) -> Folder:
    """The folder with the job. overlay: its namespace and image are those of the job."""
    given = yaml.safe_load((overlay / KUSTOMIZATION).read_text("utf-8"))
    (image,) = given["images"]
    spec = overridden(
        load_file(SPEC),
        namespace=given["namespace"],
        image=f"{image['newName']}@{image['digest']}",
        jobs=[JOB],
    )
    made = [each for each in render(spec, image="") if each["kind"] == "RayJob"]
    return Folder(path, {f"{JOB}.yaml": (NOTE + to_yaml(made)).encode()})


def main() -> None:
    """Write the job, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 8 on drift")
    parser.add_argument("--folder", type=Path, default=DEPLOY / "gitops" / "jobs")
    parser.add_argument("--overlay", type=Path, default=DEPLOY / "overlays" / "dev")
    options = parser.parse_args()
    try:
        wanted = folder(options.folder, options.overlay)
        if not options.check:
            written, _ = wanted.write()
            print("".join(f"{path}\n" for path in written), end="")
        elif wanted.diff():
            print(wanted.diff(), end="")
            sys.exit(8)
    except RaykitError as error:
        print("\n".join([f"error: {error.what}", *error.evidence, f"next: {error.next}"]))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
