"""What the calling pod saw, and what that says of the network policies."""

import subprocess
import sys

import pytest

from raykit.kuberay.checks import policies


@pytest.mark.parametrize(
    ("output", "needed", "state"),
    [
        ("open True\nblocked True", False, "ok"),
        ("open True\nblocked False", False, "warn"),
        ("open True\nblocked False", True, "fail"),
        ("open False\nblocked False", True, "warn"),
        ("", True, "warn"),
    ],
)
def test_only_a_pod_that_is_reached_and_one_that_is_not_prove_enforcement(output, needed, state):
    check = policies.judge(output, needed)
    assert check.state == state
    assert bool(check.next) == (state != "ok")


def test_the_call_itself_sees_a_listener_and_misses_one_that_is_not_there():
    listener = (
        "import socketserver, sys\n"
        "handler = socketserver.BaseRequestHandler\n"
        "with socketserver.TCPServer(('127.0.0.1', 0), handler) as server:\n"
        "    print(server.server_address[1], flush=True)\n"
        "    server.serve_forever()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", listener], stdout=subprocess.PIPE, text=True)
    try:
        port = child.stdout.readline().strip()
        call = policies.CALL.replace(str(policies.PORT), port)
        words = [sys.executable, "-c", call, "127.0.0.1", "127.0.0.2"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    finally:
        child.kill()
        child.communicate()
    assert done.stdout.splitlines() == ["open True", "blocked True"]
