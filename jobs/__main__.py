"""Run one of these jobs: `python JOBS_FOLDER NAME OPTIONS`, or `python -m jobs NAME OPTIONS`.

If it is started by its folder, Python puts no folder of the caller on the import path, and Ray puts
the folder that holds `jobs` on that of its workers. Other processes do not see this package.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the job that the first argument names, as its own `__main__`."""
    root = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [root, *(path for path in sys.path if path not in {root, f"{root}/jobs"})]
    if len(sys.argv) < 2:
        sys.exit("usage: python -m jobs NAME [OPTIONS]")
    # Ray adds the folder of sys.argv[0] to its workers' path, so sys.argv[0] stays unchanged.
    runpy.run_module(f"jobs.{sys.argv.pop(1)}", run_name="__main__")


main()
