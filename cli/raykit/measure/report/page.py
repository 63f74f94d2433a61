"""The whole document: one file without scripts, which asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raykit import versions
from raykit.measure.report.html import Html, element, joined, text

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Styles are in the page and in its SVG; nothing else is allowed, whatever the page holds."""
STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True)
class Section:
    """A part of the page. id: unlike that of any other element."""

    id: str
    title: str
    body: Html

    def html(self) -> Html:
        heading = element("h2", self.title, id=f"{self.id}-title")
        return element(
            "section", heading, self.body, id=self.id, aria_labelledby=f"{self.id}-title"
        )


@dataclass(frozen=True)
class Page:
    """title: the document's; about: a line above the heading; heading: what was run; answer: its
    sentences, the most important first; doubts: their names."""

    title: str
    about: str
    heading: str
    answer: Sequence[str]
    doubts: Sequence[str]
    sections: Sequence[Section]

    def html(self) -> str:
        """The document."""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f'<meta name="generator" content="raykit {versions.RAYKIT}">\n'
            f"<title>{text(self.title)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>\n"
            f"</head>\n<body>\n{self._head()}\n{self._main()}\n</body>\n</html>\n"
        )

    def _head(self) -> Html:
        first, *others = [*self.answer] or ["Nothing was measured."]
        doubts = element(
            "p",
            "In doubt: ",
            joined((element("a", name, href="#doubts") for name in self.doubts), " "),
            class_="names",
        )
        return element(
            "header",
            element("p", self.about, class_="about"),
            element("h1", self.heading),
            element("p", first, class_="answer"),
            joined(element("p", sentence) for sentence in others),
            doubts if self.doubts else Html(),
        )

    def _main(self) -> Html:
        links = (element("li", element("a", s.title, href=f"#{s.id}")) for s in self.sections)
        contents = element("nav", element("ul", joined(links)), aria_label="Contents")
        return joined(
            [contents, element("main", joined((section.html() for section in self.sections), "\n"))]
        )
