"""The Fibonacci job without a cluster: its options, its body, what it says."""

import pytest

pytest.importorskip("ray", reason="the jobs import Ray, which the extra [local] installs")

import jobs.fib.__main__ as fib
from jobs.fib.memory import Node
from jobs.fib.report import report, serial_fraction
from jobs.ratios import BY_ROUNDS


def head(cpus=4, driver=True, memory=10**12):
    return Node("head", cpus, memory, memory, driver)


def data(**changes):
    basis = {
        "size": 100000,
        "tasks": 8,
        "p": 8,
        "returns": "size",
        "agree": True,
        "local_ran_as": "driver",
        "cpu_models": [],
        "local_seconds": [4.2],
        "tasks_seconds": [1.76],
        "speedup": 4.2 / 1.76,
        "efficiency": 4.2 / 1.76 / 8,
    }
    return basis | changes


def test_the_body_is_the_tutorials():
    assert fib.fibonacci(10) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
    assert fib.fibonacci(1) == [0]


def test_a_call_returns_its_size_and_a_hash_or_the_sequence():
    assert fib.call(10, "sequence") == fib.fibonacci(10)
    size, hashed = fib.call(10, "size")
    assert size == 10
    assert hashed == fib.digest(34) != fib.digest(33)


def test_the_hash_tells_long_numbers_apart():
    large = fib.fibonacci(5_000)[-1]
    assert len({fib.digest(number) for number in (large, large + 1, large << 8, 0)}) == 4


def test_the_local_arm_makes_as_many_sequences_and_compares_them():
    _, seconds, answer, same = fib.run_local(500, 3, "size")
    assert seconds > 0
    assert same
    assert answer == fib.call(500, "size")


def test_the_tutorials_lines_then_speedup_and_efficiency():
    assert report(data()) == [
        "Sequence size: 100000, Local execution time: 4.20",
        "Sequence size: 100000, Remote execution time: 1.76",
        "Speedup: 2.39 on p = 8 task CPUs, parallel efficiency: 0.30",
        "Local and remote results agree (hash of the last number).",
    ]


def test_one_arm_alone_has_no_speedup():
    lines = report(data(local_seconds=[], speedup=None, efficiency=None))
    assert lines == ["Sequence size: 100000, Remote execution time: 1.76"]


def test_times_of_repeats_are_medians_and_short_ones_keep_their_digits():
    lines = report(data(local_seconds=[0.5, 0.01, 0.02], tasks_seconds=[1, 2, 9]))
    assert lines[0].endswith("execution time: 0.0200")
    assert lines[1].endswith("execution time: 2.00")
    assert "Times are medians of 3 runs, on workers that were started before." in lines


def test_a_speedup_of_several_rounds_is_said_not_to_be_the_ratio_of_the_medians():
    several = {"local_seconds": [4.2, 4.2], "tasks_seconds": [1.76, 1.76]}
    assert BY_ROUNDS in report(data(**several))
    assert BY_ROUNDS not in report(data())
    assert BY_ROUNDS not in report(data(**several | {"tasks_seconds": [], "speedup": None}))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tasks": 9}, "9 equal tasks on 8 CPUs: the speedup cannot exceed 4.50."),
        (
            {"tasks": 1, "p": 2, "speedup": 0.97},
            "1 task on 2 CPUs: the speedup cannot exceed 1.00.",
        ),
        (
            {"tasks": 1, "p": 2, "speedup": 1.24},
            "1 task on 2 CPUs cannot give more than 1.00: do not trust it.",
        ),
        (
            {"tasks": 2, "p": 2, "speedup": 2.69},
            "2 equal tasks on 2 CPUs cannot give more than 2.00: do not trust it.",
        ),
    ],
)
def test_what_the_speedup_cannot_exceed_is_said_and_that_it_does(changes, line):
    assert line in report(data(**changes))


@pytest.mark.parametrize(
    ("models", "lines"),
    [
        (["x"], ["All Ray nodes that take tasks have the same kind of CPU: x."]),
        (["x", "y"], ["The Ray nodes have different CPUs: x, y."]),
        ([], []),
    ],
)
def test_the_kind_of_cpu_is_said_only_where_it_was_looked_at(models, lines):
    said = report(data(local_ran_as="one Ray task", cpu_models=models))
    assert [line for line in said if "CPU" in line and "p =" not in line] == lines


@pytest.mark.parametrize(("p", "tasks"), [(1, 4), (2, 4), (3, 6), (4, 4), (6, 6), (64, 64)])
def test_clusters_of_one_two_and_four_cpus_do_the_same_work_unasked(p, tasks):
    assert fib.default_tasks(p) == tasks


@pytest.mark.parametrize(("speedup", "p", "expected"), [(2, 2, 0), (1, 2, 1), (4, 8, 1 / 7)])
def test_the_serial_fraction_is_karp_and_flatts(speedup, p, expected):
    assert serial_fraction(speedup, p) == pytest.approx(expected)


def test_the_serial_fraction_is_undefined_on_one_cpu_and_where_it_means_nothing():
    assert serial_fraction(1.0, 1) is None
    assert serial_fraction(2.7, 2) is None
    assert serial_fraction(0.004, 2) is None
    assert serial_fraction(None, 4) is None


@pytest.mark.parametrize(
    ("nodes", "in_pod", "as_task"),
    [
        ([head()], False, False),
        ([head()], True, True),
        ([head(cpus=0)], False, True),
        ([head(), head(driver=False)], False, True),
    ],
)
def test_where_cpus_may_differ_the_local_arm_is_a_task(nodes, in_pod, as_task):
    assert fib.Cluster(tuple(nodes), in_pod).local_task is as_task


def test_all_unusable_options_are_told_at_once(capsys):
    with pytest.raises(SystemExit) as ended:
        fib.main(["--size", "0", "--tasks", "many", "--repeat", "-3"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(f"argument --{name}" in said for name in ("size", "tasks", "repeat"))


@pytest.mark.parametrize("size", ["0", "-1", "1.5", "ten", "", "1e6", "99999999999999999999", "١"])
def test_a_size_that_is_no_usable_whole_number_is_refused(size, capsys):
    with pytest.raises(SystemExit) as ended:
        fib.parse([f"--size={size}"])
    assert ended.value.code == 2
    assert "is not a whole number from 1 to" in capsys.readouterr().err


def test_a_run_that_does_not_fit_names_the_largest_size_that_does():
    options = fib.parse(["--size", "200000"])
    found = fib.Cluster((head(cpus=2, memory=2 * 10**9),), in_pod=False)
    lines = fib.check_memory(options, 2, found)
    assert "head: needs" in lines[0]
    assert lines[-1].startswith("the largest --size that fits here is ")
    assert fib.check_memory(fib.parse(["--size", "1000"]), 2, found) == []
