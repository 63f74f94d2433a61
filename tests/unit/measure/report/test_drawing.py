"""Figures lie in the page: no colours, ids or documents of their own, and no more than needed."""

import re

import pytest

from raykit.measure.report import drawing
from raykit.measure.report.drawing import Plot, canvas, rectangles, rowed, shortened
from tests.measured import HOSTILE

PathPatch = pytest.importorskip("matplotlib.patches").PathPatch


def plot(draw, **more):
    given = {"title": "Title", "description": "Words.", "header": ("a", "b"), "rows": [("x", 1)]}
    return Plot(id="here", draw=draw, **(given | more)).html(named=False)


def boxes(width):
    figure, axes, _ = rowed(width, ["one", HOSTILE], 20, "seconds")
    axes.set_xlim(0, 3)
    shape = rectangles([(0, 1, 1, 9), (1.5, 1, 2, 9)])
    axes.add_patch(PathPatch(shape, facecolor=drawing.BAD, linewidth=0))
    return figure


def test_every_colour_is_a_variable_of_the_page():
    page = plot(boxes, legend=[(drawing.BAD, "failed")])
    assert re.findall(r"#[0-9a-f]{6}\b", re.sub(r"#\w+\)", "", page)) == []
    assert {"var(--bad)", "var(--ink)", "var(--muted)", "var(--grid)"} <= set(
        re.findall(r"var\(--[a-z0-9-]+\)", page)
    )


def test_a_figure_has_a_title_a_description_and_a_table_for_both_widths():
    page = plot(boxes)
    assert page.count("<svg ") == page.count("</svg>") == page.count("<title") == 2
    assert page.count('role="img"') == page.count("<desc ") == 2
    assert page.count("<table") == 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    named = re.findall(r'aria-labelledby="([^"]+)"', page)
    assert set(" ".join(named).split()) <= set(ids)


def test_no_document_style_or_metadata_of_its_own_is_left():
    page = plot(boxes)
    for trace in ("<?xml", "<!DOCTYPE", "<style", "<metadata", "figure_1", "rdf:"):
        assert trace not in page


def test_rectangles_take_the_shortest_form():
    assert re.search(r'd="M[\d.]+ [\d.]+H[\d.]+V[\d.]+H[\d.]+z(\s*M[^"L]+)?"', plot(boxes))


def test_hostile_labels_are_drawn_as_they_are():
    page = plot(boxes)
    assert "<script" not in page
    assert "&lt;/title&gt;" in page


def test_the_same_data_gives_the_same_bytes():
    assert plot(boxes) == plot(boxes)


def test_a_letter_that_the_font_lacks_is_no_warning():
    def draw(width):
        figure, axes = canvas(width, 80, 20)
        axes.set_xlabel("漢字 🚀")
        return figure

    assert "漢字 🚀" in plot(draw)


def test_a_long_table_says_what_is_left_out():
    page = plot(boxes, rows=[(f"row {number}", number) for number in range(1234)])
    assert "the first 200 of 1,234" in page
    assert "row 200" not in page


def test_a_label_is_one_short_line():
    assert shortened("a\nb\tc", 9) == "a b c"
    assert shortened("x" * 99, 5) == "xxxx…"
