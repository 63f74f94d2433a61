"""Draw a screen of raykit as an SVG: the picture of a run in the README.

    python scripts/render_screen.py            # docs/pictures/run.svg from docs/pictures/run/
    python scripts/render_screen.py --take     # run `raykit submit fib` first; keep its screen
    python scripts/render_screen.py --of RUN   # the screen of a run that was kept, from its record
    python scripts/render_screen.py --check    # write nothing; exit 8 where the SVG differs

docs/pictures/run/ has the screen as it was (screen.txt) and the run's record. A test checks that
the screen ends as raykit would print that record today, so that a change of the output makes the
picture drift.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from raykit.app.picture import picture
from raykit.measure.records import RunsFolder

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures" / "run"
PICTURE = FOLDER.with_suffix(".svg")
COMMAND = ["raykit", "submit", "fib", "--on", "local"]
OF_RAY = re.compile(r'\{"raykit"|Running entrypoint|\d{4}-\d\d-\d\d ')
"""Lines of a driver's log that raykit does not show."""

COLUMNS = 80
"""Width of the screen that is taken."""

CELL, LINE, MARGIN = 8.4, 19, 18
"""Width of a character, height of a line and the space around them, in pixels."""
BACK, TEXT, DIM = "#16181d", "#d9dce3", "#8b93a3"
GREEN, YELLOW, BLUE = "#7fd18b", "#e5c07b", "#74b3f0"
STYLES = [
    (re.compile(r"\$ .*"), f'fill="{TEXT}" font-weight="bold"'),
    (re.compile(r"✓ .*"), f'fill="{GREEN}"'),
    (re.compile(r".*[|][█▒· !x]+[|].*"), f'fill="{BLUE}"'),
    (re.compile(r"Speedup: .*|While the arm .*"), f'fill="{TEXT}" font-weight="bold"'),
    (re.compile(r"doubt: .*"), f'fill="{YELLOW}"'),
    (re.compile(r"running on .*|█ busy .*|seconds: .*|record: .*|  .*"), f'fill="{DIM}"'),
]
TITLE = "The screen of raykit submit fib"


def main() -> None:
    """Draw, check, or take the screen and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 8 on drift")
    parser.add_argument("--take", action="store_true", help="run the command first")
    parser.add_argument("--of", type=Path, metavar="RUN", help="folder of a run with its record")
    options = parser.parse_args()
    if options.take:
        take(FOLDER)
    elif options.of:
        keep(FOLDER, options.of.resolve(), screen_of(options.of.resolve()))
    drawn = draw((FOLDER / "screen.txt").read_text("utf-8"))
    if not options.check:
        PICTURE.write_text(drawn, "utf-8")
    elif PICTURE.read_text("utf-8") != drawn:
        print(f"{PICTURE.name} differs from its screen: python scripts/render_screen.py")
        sys.exit(8)


def draw(screen: str) -> str:
    """The SVG of a screen: one text element a line, each as wide as its characters."""
    lines = screen.rstrip("\n").split("\n")
    width = round(COLUMNS * CELL + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    texts = [_text(line, row) for row, line in enumerate(lines) if line.strip()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{TITLE}</title>",
            f"<desc>{escape(screen)}</desc>",
            "<style>text { white-space: pre }</style>",  # browsers set it on the element itself
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACK}"/>',
            '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, '
            'monospace" font-size="14">',
            *texts,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _text(line: str, row: int) -> str:
    style = next((style for form, style in STYLES if form.fullmatch(line)), f'fill="{TEXT}"')
    indent = len(line) - len(line.lstrip(" "))
    x, y = MARGIN + indent * CELL, MARGIN + row * LINE + 14
    shown = line.strip(" ")
    # Fonts differ in the width of blocks and ticks: every line is set to its length in cells.
    length = f'textLength="{len(shown) * CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y}" {length} {style}>{escape(shown)}</text>'


def take(folder: Path) -> None:
    """Run the command with an empty folder of runs; keep its screen and its record."""
    with tempfile.TemporaryDirectory() as runs:
        env = os.environ | {"RAYKIT_RUNS": runs, "COLUMNS": str(COLUMNS)}
        program = str(Path(sys.executable).parent / COMMAND[0])
        done = subprocess.run(
            [program, *COMMAND[1:]],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        (kept,) = (path.parent for path in Path(runs).glob("*/record.json"))
        keep(folder, kept, done.stdout)


def keep(folder: Path, run: Path, printed: str) -> None:
    """Keep the screen and the record of a run in place of those that are there."""
    shutil.rmtree(folder, ignore_errors=True)
    kept = folder / "record" / run.name
    kept.mkdir(parents=True)
    for name in ("record.json", "driver.log"):
        kept.joinpath(name).write_text(_impersonal(run.joinpath(name).read_text("utf-8")))
    screen = f"$ {' '.join(COMMAND)}\n{printed}"
    folder.joinpath("screen.txt").write_text(_impersonal(screen), "utf-8")


def screen_of(run: Path) -> str:
    """What the command printed: its steps from the record, the job's lines, and the picture."""
    runs = RunsFolder(run.parent)
    record = runs.read(run.name)
    seconds = {phase.name: phase.seconds for phase in record.phases}
    log = runs.log(record.id).decode().splitlines()
    lines = [
        record.target["chosen"],
        f"✓ Ray head on this machine ({seconds['ray-start']:.1f} s)",
        f"✓ submit {record.id} ({seconds['submit']:.1f} s)",
        *(line for line in log if not OF_RAY.match(line)),
        picture(record, COLUMNS),
    ]
    return "\n".join(lines) + "\n"


def _impersonal(text: str) -> str:
    """The text without this machine's folders and its boot id."""
    text = text.replace(str(ROOT), "/opt/raykit")
    text = re.sub(r"(?<=/tmp/rkh-)\w+", "example", text)
    return re.sub(r'(?<="boot_id": ")[0-9a-f-]+', "00000000-0000-4000-8000-000000000001", text)


if __name__ == "__main__":
    main()
