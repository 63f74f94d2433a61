"""Figures drawn by matplotlib as SVG that lies in the page: its colours are the page's own.

matplotlib knows no CSS variables. So figures are drawn in stand-in colours, each of which becomes
one variable of the page's style sheet; light, dark and print then need one drawing. Every figure is
drawn for two widths, because text that shrinks with its figure cannot be read on a phone.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from raykit.measure.report.html import Html, element, joined, table, text
from raykit.redaction import plain

WIDE, NARROW = 720, 320
"""Widths in CSS pixels: of a column of text, and of a phone's screen less its margins."""
INK, MUTED, GRID, PAPER, BAD = "#010101", "#020202", "#030303", "#040404", "#050505"
SERIES = ("#010a01", "#010a02", "#010a03", "#010a04", "#010a05")
OTHER = "#010a06"
VARIABLES = {
    **{INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper", BAD: "--bad"},
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, 1)},
    OTHER: "--other",
}
MOST_TABLE_ROWS = 200
LABEL = 26
"""Characters of a label; what is longer stands in the table."""
HEADING, MEANING = 160, 40
"""Characters of a page's heading, and of a line of a legend."""
LONGEST = 1e10
"""Seconds, 300 years: a job may claim any time, and nothing beyond this can be drawn to scale."""
RC = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.usetex": False,
    "path.simplify": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    **{f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")},
    **{f"{axis}tick.{what}": 0 for axis in "xy" for what in ("major.size", "minor.size")},
    **{f"{axis}tick.labelcolor": MUTED for axis in "xy"},
    **{f"{axis}tick.major.pad": 6 for axis in "xy"},
}
BARE = {"Creator": None, "Date": None, "Format": None, "Type": None}

_COLOUR = re.compile("|".join(VARIABLES))
_PREAMBLE = re.compile(r"\A.*?<svg[^>]*>|<defs>\s*<style.*?</defs>|</svg>\s*\Z", re.DOTALL)
_GROUP_ID = re.compile(r'<g id="[^"]*"')
_DATA = re.compile(r'(?<= d=")[^"]*')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_RECTANGLE = re.compile(r"M (\S+) (\S+)\s+L (\S+) \2\s+L \3 (\S+)\s+L \1 \4\s+(?:L \1 \2\s+)?z\s*")


@dataclass(frozen=True)
class Plot:
    """A figure and the same data as a table.

    id: unlike that of any other element; title, description: for those who do not see it; draw:
    the figure for a width in CSS pixels; legend: stand-in colours and their meanings.
    """

    id: str
    title: str
    description: str
    draw: Callable[[int], Figure]
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    legend: Sequence[tuple[str, str]] = ()

    def html(self, *, named: bool) -> Html:
        """The figure element: legend, the drawing for either width, the table beneath.

        named: it stands beside others and has its title as a heading of its own.
        """
        heading = element("h3", self.title) if named else Html()
        return element(
            "figure",
            element("figcaption", heading, self.description),
            self._legend(),
            joined(self._svg(width) for width in (WIDE, NARROW)),
            self._table(),
            id=self.id,
        )

    def _legend(self) -> Html:
        items = (
            element(
                "li",
                element("i", style=f"background:var({VARIABLES[colour]})"),
                shortened(meaning, MEANING),
            )
            for colour, meaning in self.legend
        )
        return element("ul", joined(items), class_="legend") if self.legend else Html()

    def _svg(self, width: int) -> Html:
        name = f"{self.id}-{width}"
        with (
            rc_context({**RC, "font.size": 12 if width >= WIDE else 11, "svg.hashsalt": name}),
            warnings.catch_warnings(),
        ):
            # A glyph that matplotlib's font lacks is in the reader's: only its width is guessed.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure = self.draw(width)
            out = io.StringIO()
            FigureCanvasSVG(figure).print_svg(out, metadata=BARE)
        height = figure.get_figheight() * 72
        return Html(
            f'<svg class="{"wide" if width == WIDE else "narrow"}" role="img" '
            f'viewBox="0 0 {width} {height:g}" aria-labelledby="{name}-t {name}-d">'
            f'<title id="{name}-t">{text(self.title)}</title>'
            f'<desc id="{name}-d">{text(self.description)}</desc>{_for_page(out.getvalue())}</svg>'
        )

    def _table(self) -> Html:
        shown = self.rows[:MOST_TABLE_ROWS]
        left = len(self.rows) - len(shown)
        caption = (
            f"{self.title}: the first {len(shown)} of {len(self.rows):,}" if left else self.title
        )
        return element(
            "details",
            element("summary", f"{self.title} as a table"),
            table(caption, self.header, shown),
        )


def _for_page(svg: str) -> str:
    """What matplotlib wrote, without what a page has no use for, in the page's colours."""
    inner = _GROUP_ID.sub("<g", _PREAMBLE.sub("", svg))
    inner = _DATA.sub(lambda data: _short(data[0]), inner)
    return _COLOUR.sub(lambda colour: f"var({VARIABLES[colour[0]]})", inner)


def _short(data: str) -> str:
    """A path's data with hundredths of a pixel, and rectangles in their shortest form."""
    rounded = _NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), data)
    return _RECTANGLE.sub(r"M\1 \2H\3V\4H\1z", rounded)


def canvas(
    width: int, height: int, left: int, right: int = 16, bottom: int = 40
) -> tuple[Figure, Axes]:
    """A figure of so many CSS pixels, and its axes within margins; y counts pixels downwards."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - bottom / height)
    )
    axes.patch.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4 if width < WIDE else 7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    return figure, axes


def rowed(
    width: int, labels: Sequence[str], row: int, title: str, left: int | None = None
) -> tuple[Figure, Axes, list[float]]:
    """A canvas with a row for each label, and the height of each row's middle.

    Labels stand left of their rows, or above them where the screen is narrow.
    """
    above = width < WIDE and left is None
    names = [shortened(label, LABEL) for label in labels]
    step = row + 16 if above else row
    margin = left or (8 if above else 20 + round(6.4 * max(map(len, names), default=0)))
    figure, axes = canvas(width, 44 + step * len(names), margin)
    axes.set_ylim(step * len(names), 0)
    axes.set_yticks([])
    axes.set_xlabel(title, labelpad=4)
    middles = [step * number + (16 if above else 0) + row / 2 for number in range(len(names))]
    for name, middle in zip(names, middles, strict=True):
        at = (0, middle - row / 2 - 5) if above else (0, middle)
        write(axes, name, at, (0 if above else -8, 0), ha="left" if above else "right")
    return figure, axes, middles


def write(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    *,
    ha: str = "left",
    colour: str = INK,
    of_data: bool = False,
) -> None:
    """Text at a place: x a share of the axes' width, or a value; y in pixels."""
    axes.annotate(
        words,
        xy=at,
        xycoords="data" if of_data else axes.get_yaxis_transform(),
        xytext=offset,
        textcoords="offset points",
        ha=ha,
        va="center",
        color=colour,
        annotation_clip=False,
    )


def rectangles(boxes: Sequence[tuple[float, float, float, float]]) -> Path:
    """One path of many rectangles (left, top, right, bottom): a tenth of a shape for each."""
    corners = [
        corner
        for left, top, right, bottom in boxes
        for corner in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    ]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
    return Path(corners, codes)


def shortened(label: object, length: int) -> str:
    """A label on one line, without secrets and control characters, cut with an ellipsis."""
    line = " ".join(plain(str(label).encode("utf-8", "backslashreplace").decode()).split())
    return line if len(line) <= length else line[: length - 1] + "…"
