"""The report in a real browser: nothing runs, nothing overflows, nothing keeps anyone out."""

import shutil
import subprocess

import pytest

from raykit.measure.experiment import break_even
from raykit.measure.experiment.arms import compare_arms
from raykit.measure.experiment.break_even import Point, Search
from raykit.measure.experiment.break_even_result import BreakEven
from raykit.measure.report import of_experiment, of_run, of_search
from raykit.measure.statistics import Ratio
from tests.browser import Browser, chromium
from tests.measured import BEGAN, HOSTILE, experiment, run, tasks

SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
SIZES = {10_000: (0.4, 0.5, 0.6), 40_000: (0.8, 1.0, 1.3), 90_000: (1.6, 1.9, 2.4)}


def found_by_search():
    """A search for the break-even size that is over."""
    search = Search(4_000, 256_000, 8)
    points = [
        Point(size, 8, size / 1e5, 0.4, Ratio(value, low, high))
        for size, (low, value, high) in SIZES.items()
    ]
    answer = break_even.answer(search, points)
    words = [answer.sentence, answer.why]
    return BreakEven(
        "try", "fib", "one", 2.0, search, points, answer, True, search.level, words, []
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(chromium(), tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports: of an experiment, a search, a run, and of a run that wants to harm its reader."""
    folder = tmp_path_factory.mktemp("pages")
    rows = tasks(60, 4, 0.2, ("fibonacci_task", "warm_up_task"), 2)
    times = {"one": SIX, "two": [s * 0.6 for s in SIX], "four": [s * 0.35 for s in SIX]}
    found, records = experiment(times, rows=rows, nodes=2)
    record = run(seconds=SIX, rows=rows, nodes=2, cpus=4)
    record.spans += [
        {"name": "local", "arm": "local", "start": BEGAN + 3, "seconds": s * 2} for s in SIX
    ]
    hostile = run(
        job={"name": HOSTILE, "arguments": [HOSTILE * 9], "entrypoint": []},
        rows=tasks(9, 2, names=(HOSTILE, "x" * 999)),
        results=[{"data": {HOSTILE: ["y" * 999]}}],
        versions={"ray": HOSTILE},
        machine={"cpu_model": "z" * 999, "cpu_count": 2},
    )
    hostile.spans.append({"name": HOSTILE, "arm": HOSTILE * 3, "start": BEGAN, "seconds": 1.0})
    texts = {
        "experiment": of_experiment.page(
            found, compare_arms(found, records), records, ["raykit bench " + "long " * 40]
        ),
        "search": of_search.page(found_by_search(), [record], ["raykit bench fib --break-even"]),
        "run": of_run.page(record, b"a line\n" * 99, ["raykit submit fib"]),
        "hostile": of_run.page(hostile, HOSTILE.encode("utf-8", "surrogatepass") * 99, [HOSTILE]),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return {name: folder / f"{name}.html" for name in texts}


EACH = pytest.mark.parametrize("name", ["experiment", "search", "run", "hostile"])
SCREENS = pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]
)


@EACH
@SCREENS
def test_nothing_overflows_and_the_console_is_silent(browser, pages, name, width, scheme):
    browser.show(pages[name], width, scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    beyond = (
        "[...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll, pre, svg')"
        " && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML)"
    )
    assert browser.evaluate(beyond) == []
    assert browser.complaints() == []
    assert browser.requests() == [pages[name].as_uri()]


@EACH
@pytest.mark.parametrize("width", [360, 1440])
def test_every_plot_has_marks_of_some_size_that_lie_within_it(browser, pages, name, width):
    browser.show(pages[name], width)
    drawn = browser.evaluate(
        """[...document.querySelectorAll('figure')].map(figure => {
          const shown = [...figure.querySelectorAll('svg')].filter(s => s.clientWidth > 0);
          const box = shown[0].getBoundingClientRect();
          const marks = [...shown[0].querySelectorAll('path, use')].filter(mark =>
            /--series|--bad|--other/.test(mark.getAttribute('style') ||
              mark.closest('[style]')?.getAttribute('style') || ''));
          const inside = marks.every(mark => {
            const own = mark.getBoundingClientRect();
            return own.left >= box.left - 1 && own.right <= box.right + 1 && own.width > 0;
          });
          const texts = [...shown[0].querySelectorAll('text')].map(t => t.getBoundingClientRect());
          const cut = texts.filter(t => t.left < box.left - 1 || t.right > box.right + 1).length;
          return {id: figure.id, drawings: shown.length, marks: marks.length, inside, cut};
        })"""
    )
    assert len(drawn) >= (1 if name == "search" else 3)
    for plot in drawn:
        assert (plot["drawings"], plot["inside"], plot["cut"]) == (1, True, 0), plot
        assert plot["marks"] > 0, plot


def test_letters_keep_a_size_that_can_be_read_on_a_phone(browser, pages):
    browser.show(pages["experiment"], 360)
    sizes = browser.evaluate(
        "[...document.querySelectorAll('svg.narrow text')]"
        ".map(each => each.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plots_take_the_colours_of_the_scheme(browser, pages, scheme):
    browser.show(pages["experiment"], 1440, scheme=scheme)
    ink, paper = browser.evaluate(
        "[getComputedStyle(document.querySelector('svg.wide text')).fill,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    dark, light = {"light": (ink, paper), "dark": (paper, ink)}[scheme]
    assert brightness(dark) < 110 < 160 < brightness(light)


def brightness(colour):
    return sum(map(int, colour.strip("rgba()").split(",")[:3])) / 3


def test_print_is_light_and_shows_the_tables(browser, pages):
    browser.show(pages["experiment"], 794, scheme="dark", media="print")
    ink = browser.evaluate("getComputedStyle(document.body).color")
    assert brightness(ink) < 60
    hidden = (
        "[...document.querySelectorAll('details table')].filter(t => !t.checkVisibility()).length"
    )
    assert browser.evaluate(hidden) == 0


def test_everything_is_reached_by_keyboard(browser, pages):
    browser.show(pages["experiment"], 360)
    wanted = browser.evaluate("document.querySelectorAll('a, summary').length")
    reached = set()
    for _ in range(3 * wanted):
        for kind in ("keyDown", "keyUp"):
            browser.ask(
                "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
            )
        what = "document.activeElement.matches('a, summary') && document.activeElement.innerText"
        reached.add(browser.evaluate(what))
    texts = (
        "[...new Set([...document.querySelectorAll('a, summary')].map(e => e.innerText))].length"
    )
    assert len(reached - {False}) == browser.evaluate(texts)


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The source of axe-core, from the package registry that npm here knows."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, for axe-core")
    folder = tmp_path_factory.mktemp("axe")
    words = ["npm", "install", "--silent", "--prefix", str(folder), "axe-core@4"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not get axe-core within two minutes")
    if done.returncode:
        pytest.skip(f"npm could not get axe-core: {done.stderr.strip()[-200:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@EACH
@SCREENS
def test_axe_finds_nothing(browser, pages, axe, name, width, scheme):
    browser.show(pages[name], width, scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.evaluate(f"{axe}; 0")
    found = browser.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then(all => all.violations.map(v => [v.id, v.nodes[0].html, v.nodes[0].failureSummary]))"
    )
    assert found == []
