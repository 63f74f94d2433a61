"""Render `deploy/clusters/*.yaml` into `deploy/base/<shape>/`, or say what has drifted.

    python scripts/render_base.py            # write
    python scripts/render_base.py --check    # write nothing; exit 8 where a file differs

The image is raykit's own as of now, so that a change of `jobs/` is a change here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from raykit import kit
from raykit.errors import RaykitError
from raykit.flows import manifests


def main() -> None:
    """Write the base folder, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 8 on drift")
    parser.add_argument("--image", help="instead of raykit's own image as of now")
    parser.add_argument("--clusters", type=Path, default=kit.root() / "deploy" / "clusters")
    parser.add_argument("--base", type=Path, default=kit.root() / "deploy" / "base")
    options = parser.parse_args()
    try:
        if options.check:
            manifests.check(options.clusters, options.base, options.image)
            return
        for path in manifests.write(options.clusters, options.base, options.image):
            print(path)
    except RaykitError as error:
        print("\n".join([f"error: {error.what}", *error.evidence, f"next: {error.next}"]))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
