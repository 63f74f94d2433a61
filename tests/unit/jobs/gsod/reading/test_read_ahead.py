"""Reading ahead gives the same bytes in the same order, and leaves nothing behind."""

import sys
import threading

import pytest

from jobs.gsod.reading.read_ahead import Ahead


class Counting:
    """A stream of so many bytes that then ends or fails."""

    def __init__(self, size, problem=None):
        self.left, self.problem = size, problem

    def readinto(self, buffer):
        if not self.left and self.problem:
            raise self.problem
        size = min(self.left, len(buffer))
        buffer[:size] = b"x" * size
        self.left -= size
        return size


def read_all(stream):
    buffer, found = memoryview(bytearray(100_000)), 0
    while size := stream.readinto(buffer):
        found += size
    return found


def test_all_bytes_arrive_and_the_end_stays_the_end():
    with Ahead(Counting(10_000_000)) as ahead:
        assert read_all(ahead) == 10_000_000
        assert [ahead.readinto(memoryview(bytearray(10))) for _ in range(3)] == [0, 0, 0]


def test_an_error_comes_after_the_bytes_before_it_and_stays():
    with Ahead(Counting(3_000_000, OSError("gone"))) as ahead:
        for _ in range(3):
            with pytest.raises(OSError, match="gone"):
                read_all(ahead)


@pytest.mark.parametrize("asked", [0, 1, 5_000_000])
def test_no_thread_and_no_setting_is_left_wherever_the_caller_stops(asked):
    before, interval = set(threading.enumerate()), sys.getswitchinterval()
    with Ahead(Counting(50_000_000)) as ahead:
        if asked:
            ahead.readinto(memoryview(bytearray(asked)))
    assert set(threading.enumerate()) <= before
    assert sys.getswitchinterval() == interval


def test_a_caller_that_fails_leaves_no_thread_and_no_setting():
    before, interval = set(threading.enumerate()), sys.getswitchinterval()
    with pytest.raises(ValueError, match="mine"), Ahead(Counting(50_000_000)):
        raise ValueError("mine")
    assert set(threading.enumerate()) <= before
    assert sys.getswitchinterval() == interval
