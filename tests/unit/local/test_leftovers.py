"""Processes that an earlier raykit left behind, among all the others of a machine."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from raykit.checks import State
from raykit.local import leftovers

RAYLET = "/ray/raylet --raylet_socket_name=/tmp/rkh-abcd1234/ray/session_1/sockets/raylet"
FORWARD = "kubectl --context kind-x --namespace n port-forward --address 127.0.0.1 service/c :8265"


def orphans(listing, locked=()):
    return [
        one.pid for one in leftovers.orphans(leftovers.parsed(listing), set(locked).__contains__)
    ]


def test_ray_processes_of_a_dead_head_are_left_over():
    listing = f"  10     1 {RAYLET}\n 11 10 tail -f /tmp/rkh-abcd1234/ray/log\n"
    assert orphans(listing) == [10]
    assert orphans(listing, locked=["/tmp/rkh-abcd1234"]) == []


def test_a_port_forward_is_left_over_when_its_raykit_has_ended():
    assert orphans(f"1 0 /sbin/init\n12 1 {FORWARD}") == [12]
    assert orphans(f"7 1 /lib/systemd/systemd --user\n12 7 {FORWARD}") == [12]
    assert orphans(f"12 9 {FORWARD}") == [12], "its parent is nobody of ours"
    assert orphans(f"9 1 python my_own.py\n12 9 {FORWARD}") == []


def test_port_forwards_of_others_are_theirs():
    assert orphans("1 0 init\n12 1 kubectl port-forward service/c 8265:8265") == []


def test_what_is_left_is_named_with_the_command_that_ends_it(tools):
    tools(ps=f"echo '1 0 init'; echo '12 1 {FORWARD}'")
    check = leftovers.check(1000)
    assert (check.state, check.next) == (State.warn, "kill 12")
    assert check.what == "1 processes of an earlier raykit are left"


def test_a_system_without_ps_skips_it(tools):
    tools()
    assert leftovers.check(1000).state is State.skipped


def test_the_real_ps_lists_a_real_process_with_its_whole_command():
    child = subprocess.Popen(
        [sys.executable, "-c", "input()", f"--x=/{'y' * 200}/rkh-abcd1234/ray/s"],
        stdin=subprocess.PIPE,
    )
    try:
        check = leftovers.check(os.getuid())
        assert str(child.pid) in check.next.split()
    finally:
        child.communicate(b"\n")


@given(st.text(max_size=200))
def test_no_listing_breaks_the_reading(text):
    leftovers.orphans(leftovers.parsed(text), lambda _: False)
