"""HTML built from elements: whatever is no markup yet is cleaned of secrets and escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from raykit.redaction import plain


class Html(str):
    """Markup: made by this package alone, and never escaped again."""

    __slots__ = ()


def text(value: object) -> Html:
    """Any text as markup that shows it; no secret, control character or half character is left."""
    if isinstance(value, Html):
        return value
    whole = str(value).encode("utf-8", "backslashreplace").decode()
    return Html(escape(plain(whole)))


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element with its children.

    attributes: a name ends in `_` where Python keeps it to itself; other `_` become dashes. None
    leaves an attribute out.
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{tag}{named}>{joined(children)}</{tag}>")


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after another."""
    return Html(text(between).join(text(part) for part in parts))


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    kind: str = "figures",
) -> Html:
    """A table that scrolls within itself where it is wider than the screen, also by keyboard.

    The first cell of a row is its name. kind: `figures`, or `words`, whose lines may break.
    """
    head = element("tr", *(element("th", name, scope="col") for name in header))
    body = joined(
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])
        )
        for row in rows
    )
    whole = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        class_=kind,
    )
    return element("div", whole, class_="scroll", tabindex="0", role="group", aria_label=caption)
