"""The report of runs and experiments: the answer first, everything named, nothing that can run."""

import re

import pytest

from raykit.measure.doubts import Doubt
from raykit.measure.experiment.arms import compare_arms
from raykit.measure.experiment.plan import Scaling
from raykit.measure.report import of_experiment, of_run
from raykit.measure.report.page import POLICY
from raykit.redaction import learn
from tests.measured import BEGAN, HOSTILE, experiment, run, tasks
from tests.unit.measure.report.test_html import Reader

SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]


def of(made, again=("raykit bench fib",)):
    found, records = made
    return of_experiment.page(found, compare_arms(found, records), records, again)


def titles(page):
    return re.findall(r"<h2[^>]*>([^<]+)</h2>", page)


def test_the_report_of_a_run_answers_first_and_goes_from_the_whole_to_the_parts():
    local = [{"name": "l", "arm": "local", "start": BEGAN, "seconds": each * 2} for each in SIX]
    record = run(seconds=SIX)
    record.spans += local
    page = of_run.page(record, b"hello\n", ["raykit submit fib"])
    answer = re.search(r'class="answer">([^<]+)<', page)[1]
    assert (
        answer
        == "tasks took 0.50 (0.50-0.50) of local&#x27;s time on 2 task CPUs (6 rounds): faster."
    )
    assert titles(page) == [
        *("Where the time went", "Tasks", "Repeats", "Result of the job", "Environment", "Doubts"),
        *("Driver&#x27;s log", "Measure it again"),
    ]
    assert "raykit submit fib" in page


def test_a_run_that_failed_says_so_first():
    record = run(
        status="FAILED", message="it broke", cause="driver", results=[], tasks={}, spans=[]
    )
    page = of_run.page(record, None, [])
    assert "Ray says FAILED (driver) after 8.0 s." in re.search(r'class="answer">([^<]+)<', page)[1]
    assert "it broke" in page


@pytest.mark.parametrize("status", ["UNFINISHED", "NOT_SUBMITTED"])
def test_a_run_that_never_ended_still_has_a_report(status):
    record = run(status=status, ended=None, phases=[], spans=[], results=[], tasks={}, start=None)
    page = of_run.page(record, None, ["raykit submit fib"])
    assert titles(page) == ["Environment", "Doubts", "Measure it again"]


def test_the_report_of_an_experiment_has_every_part():
    page = of(
        experiment({"one": SIX, "two": [s * 0.6 for s in SIX], "four": [s * 0.4 for s in SIX]})
    )
    assert "two took 0.60 (0.60-0.60) of one&#x27;s time (6 rounds): faster." in page
    assert titles(page) == [
        *("Arms side by side", "Where the time went", "Tasks", "Speedup", "Repeats"),
        *("Environment", "Doubts", "Measure it again"),
    ]
    assert page.count('id="gantt-') == 3 * 5  # a figure, and title and description for both widths
    assert "from the seed 7" in page


def test_arms_of_one_size_or_of_weak_scaling_have_no_speedup_chart():
    same = experiment({"one": SIX, "two": SIX}, p={"one": 2.0, "two": 2.0})
    assert "Speedup" not in titles(of(same))
    assert "Speedup" not in titles(of(experiment({"one": SIX, "two": SIX}, scaling=Scaling.weak)))


def test_arms_of_one_size_are_named_in_one_label_so_that_no_name_lies_on_another():
    from raykit.measure.report.plots import scaling

    found, records = experiment(
        {"one": SIX, "same": SIX, "more": [s * 0.6 for s in SIX]},
        p={"one": 2.0, "same": 2.0, "more": 4.0},
    )
    plot = scaling.of_arms(compare_arms(found, records))
    figure = plot.draw(720)
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "one  1.00\nsame  1.00",
        "more  1.67",
    ]


def test_doubts_are_named_beside_the_answer_and_explained_below():
    page = of(experiment({"one": SIX[:2], "two": SIX[:2]}))
    assert '<a href="#doubts">FEW_SAMPLES</a>' in page
    assert "<dt>FEW_SAMPLES</dt>" in page


def test_nothing_that_a_job_says_becomes_part_of_the_page():
    record = run(
        job={"name": HOSTILE, "arguments": [HOSTILE], "entrypoint": []},
        rows=tasks(4, 2, names=(HOSTILE,)),
        results=[{"data": {HOSTILE: HOSTILE}}],
        message=HOSTILE,
        status="FAILED",
        versions={"ray": HOSTILE},
        machine={"cpu_model": HOSTILE, "cpu_count": 2, "platform": HOSTILE},
    )
    record.spans.append({"name": HOSTILE, "arm": HOSTILE, "start": BEGAN, "seconds": 1.0})
    page = of_run.page(record, HOSTILE.encode("utf-8", "surrogatepass"), [HOSTILE])
    page.encode()
    plain = Reader(of_run.page(run(), b"x", ["x"]))
    read = Reader(page)
    assert set(read.tags) <= set(plain.tags)
    assert {"script", "img", "iframe", "link", "object", "form"}.isdisjoint(read.tags)
    assert not any(name.startswith("on") for name, _ in read.attributes)
    assert not set("\x1b\x07\u202e") & set(page)


def test_the_page_may_load_nothing_and_links_only_to_itself():
    read = Reader(of(experiment({"one": SIX, "two": SIX})))
    assert POLICY.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert ("content", POLICY) in read.attributes
    links = [v for k, v in read.attributes if k in ("href", "xlink:href", "src")]
    assert links
    assert all(link.startswith("#") for link in links)


def test_no_secret_is_in_a_report():
    learn("s3cr3t-token")
    record = run(message="token s3cr3t-token", status="FAILED", results=[{"data": "s3cr3t-token"}])
    assert "s3cr3t" not in of_run.page(record, b"Bearer s3cr3t-token", ["--header s3cr3t-token"])


def test_the_colours_of_every_plot_are_those_of_the_style_sheet():
    page = of(experiment({"one": SIX, "two": [s / 2 for s in SIX]}))
    drawings = "".join(re.findall(r"<svg .*?</svg>", page, re.DOTALL))
    assert "var(--series-1)" in drawings
    assert re.findall(r"(?:fill|stroke): (?!none|var\()[^;\"]+", drawings) == []


@pytest.mark.parametrize("start", [0.0, BEGAN, -1e308, 1e308])
@pytest.mark.parametrize("seconds", [0.0, 1e-300, 1.0, 1e9, 1e308])
def test_times_that_nothing_can_have_are_left_out_of_the_plots(start, seconds):
    record = run(seconds=[1.0])
    record.spans += [
        {"name": "odd", "arm": "local", "start": start, "seconds": seconds} for _ in range(2)
    ]
    assert "Where the time went" in of_run.page(record, None, [])


def test_a_makespan_of_centuries_is_not_drawn():
    record = run()
    record.tasks["makespan"] = 1e300
    assert "Tasks" not in titles(of_run.page(record, None, []))


def test_ids_are_unlike_and_every_link_leads_somewhere():
    page = of(experiment({"one": SIX, "two": [s / 2 for s in SIX]}))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_doubt_reads_as_a_sentence_with_what_to_do():
    from raykit.measure.report.sections import doubts

    (section,) = doubts([Doubt("NOISY", "it is <noisy>", "measure at night")])
    assert "it is &lt;noisy&gt;; measure at night." in section.body
