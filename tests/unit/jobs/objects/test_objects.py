"""The job of large objects without a cluster."""

import pickle

import pytest

pytest.importorskip("ray", reason="the jobs import Ray, which the extra [local] installs")

import jobs.objects.__main__ as objects
from jobs.objects.numbers import PAGE, Numbers

HERE, THERE = "a" * 56, "b" * 56
MIB = 2**20


def node(name, cpus=2, store=1000 * MIB, alive=True):
    resources = {"CPU": cpus, "object_store_memory": store}
    return {"NodeID": name, "Alive": alive, "Resources": resources}


def test_numbers_are_whole_pages_and_add_up():
    numbers = Numbers.make(10 * PAGE - 1)
    assert numbers.view.nbytes == 10 * PAGE
    assert numbers.total() == sum(range(10))


def test_numbers_are_pickled_out_of_band_and_read_without_a_copy():
    numbers, buffers = Numbers.make(100 * PAGE), []
    data = pickle.dumps(numbers, 5, buffer_callback=buffers.append)
    assert len(data) < PAGE
    shared = bytearray(buffers[0].raw())
    read = pickle.loads(data, buffers=[shared])
    assert read.total() == numbers.total()
    shared[:] = bytes(len(shared))
    assert read.total() == 0


def test_readers_run_on_the_drivers_node_and_on_one_other():
    nodes = [node(THERE), node(HERE), node("c", alive=False)]
    assert [place.node for place in objects.places(nodes, HERE)] == [HERE, THERE]


def test_a_head_without_task_cpus_has_no_readers():
    nodes = [node(HERE, cpus=0), node(THERE)]
    assert [place.name for place in objects.places(nodes, HERE)] == ["another Ray node"]


def test_copies_fit_just_below_and_not_just_above_the_smallest_object_store():
    nodes = [node(HERE, store=5000 * MIB), node(THERE, store=1000 * MIB)]
    assert objects.shortage(200, 3, nodes) is None
    assert "3 copies of 201 MiB" in objects.shortage(201, 3, nodes)


def test_the_table_and_what_it_says():
    options = objects.parse(["--mib", "10", "--readers", "2"])
    place = objects.Place("the driver's Ray node", HERE)
    rows = [
        objects.row("put once", place, options, [0.1, 0.2, 0.1, 0.1]),
        objects.row("send copies", place, options, [0.5, 0.5, 0.4, 0.5]),
    ]
    assert objects.table(rows)[1:] == [
        "the driver's Ray node  put once           2      10    0.1000       200",
        "the driver's Ray node  send copies        2      10    0.5000        40",
    ]
    assert objects.verdicts(rows) == [
        "On the driver's Ray node: one ray.put is 5.0 times faster than sending copies."
    ]


@pytest.mark.parametrize(
    ("put", "copies"), [([0.1] * 3, [0.5] * 3), ([0.1, 0.1, 0.1, 0.6], [0.5, 0.5, 0.5, 0.5])]
)
def test_few_or_overlapping_times_decide_nothing(put, copies):
    options = objects.parse([])
    place = objects.Place("here", HERE)
    rows = [
        objects.row(*each, options, times)
        for each, times in ((("put once", place), put), (("send copies", place), copies))
    ]
    assert objects.verdicts(rows)[0].startswith("On here: undecided; try a larger")


def test_all_unusable_options_are_told_at_once(capsys):
    with pytest.raises(SystemExit) as ended:
        objects.parse(["--mib", "0", "--readers", "x", "--repeat", "-1"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(f"argument --{name}" in said for name in ("mib", "readers", "repeat"))
