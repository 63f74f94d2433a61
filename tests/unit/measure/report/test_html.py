"""Whatever is no markup of ours is escaped, cleaned of secrets, and can be written as UTF-8."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.report.html import element, joined, table, text
from raykit.redaction import learn
from tests.measured import HOSTILE


class Reader(HTMLParser):
    """What a browser's parser makes of a page: its elements, their attributes, its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


@given(st.text(), st.text())
def test_any_text_stays_text_in_elements_and_attributes(words, label):
    page = element("p", words, aria_label=label)
    page.encode()
    read = Reader(page)
    assert read.tags == ["p"]
    assert [name for name, _ in read.attributes] == ["aria-label"]


def test_hostile_text_is_shown_and_does_nothing():
    page = element("p", HOSTILE)
    read = Reader(page)
    assert read.tags == ["p"]
    shown = "".join(read.words)
    assert "<script>alert(1)</script>" in shown
    assert "\\x1b]0;x\\x07\\u202e\\ud800" in shown


def test_secrets_are_replaced_before_they_are_escaped():
    learn("pass<word>&1")
    assert text("it is pass<word>&1 here") == "it is [redacted] here"


def test_markup_is_not_escaped_again_and_nothing_else_passes_for_it():
    inner = element("b", "1 < 2")
    assert element("p", inner, "&") == "<p><b>1 &lt; 2</b>&amp;</p>"
    assert joined(["<", inner], ", ") == "&lt;, <b>1 &lt; 2</b>"


def test_an_attribute_without_a_value_is_left_out():
    assert element("a", "x", class_="k", href=None) == '<a class="k">x</a>'


def test_a_table_names_its_columns_and_rows_and_scrolls_by_keyboard():
    page = table("Arms", ("arm", "p"), [("one", 1), ("<two>", 2)])
    read = Reader(page)
    assert read.tags.count("th") == 4
    assert [v for k, v in read.attributes if k == "scope"] == ["col", "col", "row", "row"]
    assert ("tabindex", "0") in read.attributes
    assert "<two>" in read.words
