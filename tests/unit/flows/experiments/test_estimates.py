"""How long an experiment will take, by the runs on record."""

from raykit.flows.experiments import estimates
from raykit.measure.records import RunsFolder


def test_runs_with_the_same_arguments_count_before_others(tmp_path, make_record):
    runs = RunsFolder(tmp_path)
    for number, (job, words, status, seconds) in enumerate(
        [
            ("fib", ["--size", "9"], "SUCCEEDED", 4.0),
            ("fib", ["--size", "9", "--tasks", "4"], "SUCCEEDED", 6.0),
            ("fib", ["--size", "10"], "SUCCEEDED", 90.0),
            ("fib", ["--size", "9"], "FAILED", 1.0),
            ("gsod", ["--size", "9"], "SUCCEEDED", 50.0),
        ]
    ):
        fields = {"job": {"name": job, "arguments": words}, "status": status}
        runs.write(
            make_record(id=f"20261126-00000{number}-x", ended=1795477369.0 + seconds, **fields)
        )
    (tmp_path / "20261126-000009-broken").mkdir()
    (tmp_path / "20261126-000009-broken" / "record.json").write_text("{")
    found = estimates.usual(runs, "fib", ("--size", "9"))
    assert (found.seconds, found.runs) == (5.0, 2)
    assert estimates.usual(runs, "fib", ("--size", "11")).runs == 3
    assert estimates.usual(runs, "sklearn", ()) is None


def test_how_long_is_said_in_words():
    usual = estimates.Usual(5.0, 1)
    assert estimates.in_words(24, usual, "fib") == "how long: about 2 min, by 1 earlier run of fib"
    assert "at most about 2 min" in estimates.in_words(24, usual, "fib", most=True)
    assert "unknown, no run of fib" in estimates.in_words(24, None, "fib")
