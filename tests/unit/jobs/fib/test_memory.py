"""How much memory a Fibonacci run takes, and whether it fits."""

import pickle
import sys
from dataclasses import replace

import pytest

from jobs.fib.memory import (
    BASE_BYTES,
    Node,
    Run,
    largest_size,
    needs,
    pickled_bytes,
    sequence_bytes,
    shortages,
)

GB = 10**9
SIZES = Run(100_000, 4, local=True, remote=True, sequences=False, local_task=False)
SEQUENCES = replace(SIZES, sequences=True)


def node(memory=64 * GB, cpus=4, store=64 * GB, driver=True, name="a"):
    return Node(name, cpus, memory, store, driver)


def fibonacci(size):
    numbers = [0, 1]
    while len(numbers) < size:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:size]


@pytest.mark.parametrize("size", [2_000, 10_000, 20_000])
def test_the_formulas_agree_with_a_real_list(size):
    numbers = fibonacci(size)
    real = sys.getsizeof(numbers) + sum(map(sys.getsizeof, numbers))
    assert real <= sequence_bytes(size) <= real * 1.35
    assert pickled_bytes(size) == pytest.approx(len(pickle.dumps(numbers, 5)), rel=0.05)


def test_memory_grows_with_the_square_of_the_size():
    assert sequence_bytes(100_000) == pytest.approx(468e6, rel=0.01)
    assert sequence_bytes(200_000) == pytest.approx(4 * sequence_bytes(100_000), rel=0.02)


@pytest.mark.parametrize("run", [SIZES, SEQUENCES, replace(SEQUENCES, local_task=True)])
@pytest.mark.parametrize("driver", [True, False])
def test_a_node_with_just_enough_memory_fits_and_one_byte_less_does_not(run, driver):
    heap, objects = needs(run, node(driver=driver))
    assert shortages(run, [node(heap + objects, driver=driver)]) == []
    short = shortages(run, [node(heap + objects - 1, driver=driver)])
    assert len(short) == 1
    assert "of memory" in short[0]


def test_an_object_store_that_is_one_byte_too_small_is_named():
    _, objects = needs(SEQUENCES, node())
    assert objects == 4 * pickled_bytes(100_000)
    assert shortages(SEQUENCES, [node(store=objects)]) == []
    assert "object store" in shortages(SEQUENCES, [node(store=objects - 1)])[0]


def test_as_many_tasks_run_at_once_as_the_node_has_cpus_or_fewer_if_there_are_fewer():
    one = BASE_BYTES + sequence_bytes(100_000)
    assert needs(SIZES, node(cpus=2))[0] == 2 * one
    assert needs(SIZES, node(cpus=64))[0] == 4 * one


def test_a_head_without_task_cpus_needs_room_for_what_comes_back_to_the_driver():
    run = replace(SEQUENCES, local_task=True)
    assert needs(replace(SIZES, local_task=True), node(cpus=0)) == (0, 0)
    heap, objects = needs(run, node(cpus=0))
    assert heap >= 5 * sequence_bytes(100_000)
    assert objects == 4 * pickled_bytes(100_000)


def test_every_node_that_is_short_is_named():
    short = shortages(SIZES, [node(GB, name="one"), node(name="two"), node(GB, name="three")])
    assert [line.split(":")[0] for line in short] == ["one", "three"]


def test_the_largest_size_fits_and_the_next_one_does_not():
    nodes = [node(2 * GB, cpus=2)]
    size = largest_size(replace(SIZES, size=10**9), nodes)
    assert shortages(replace(SIZES, size=size), nodes) == []
    assert shortages(replace(SIZES, size=size + 1), nodes) != []


def test_where_nothing_fits_the_largest_size_is_zero():
    assert largest_size(SIZES, [node(1)]) == 0
