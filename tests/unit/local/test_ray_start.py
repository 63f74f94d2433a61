"""What `ray start` is given, and what is refused before it starts."""

import os
import resource
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from raykit.errors import MissingError
from raykit.local import ray_start


def test_the_heads_environment_has_ours_and_nothing_of_the_callers_ray():
    caller = {
        "RAY_ADDRESS": "http://127.0.0.1:1",
        "ray_worker_niceness": "19",
        "HOME": "/home/me",
        "PYTHONPATH": "/mine",
        "PYTHONWARNINGS": "error",
        "NO_PROXY": "example.org",
    }
    env = ray_start.environment(caller, "secret")
    assert not {"RAY_ADDRESS", "ray_worker_niceness", "PYTHONWARNINGS"} & set(env)
    assert (env["RAY_AUTH_MODE"], env["RAY_AUTH_TOKEN"]) == ("token", "secret")
    assert env["RAY_worker_niceness"] == "0"
    assert env["PYTHONPATH"] == "/mine", "a user's own jobs/ must not meet ours"
    assert env["RAY_SCHEDULER_EVENTS"] == "0"
    assert env["RAY_agent_register_timeout_ms"] == "120000"
    assert env["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert env["HOME"] == "/home/me"


def test_every_port_but_ray_clients_is_chosen_by_who_listens_there():
    words = ray_start.head_words("127.0.0.1", Path("/tmp/x/ray"), None)
    ports = {word.split("=")[0]: word.split("=")[1] for word in words if "port=" in word}
    client = int(ports.pop("--ray-client-server-port"))
    assert client in ray_start.QUIET_PORTS
    assert len(ports) == 10
    assert set(ports.values()) == {"0"}


def test_the_port_of_ray_client_is_free_and_none_that_the_kernel_gives_away(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("", ray_start._free_port()))
        ports = [taken.getsockname()[1], ray_start._free_port()]
        monkeypatch.setattr(ray_start, "QUIET_PORTS", ports)
        monkeypatch.setattr(ray_start, "TRIES", len(ports))
        for _ in range(8):
            words = ray_start.head_words("127.0.0.1", Path("/tmp/x/ray"), None)
            assert f"--ray-client-server-port={ports[1]}" in words


@pytest.mark.parametrize("package", ["ray", "psutil"])
def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch, package):
    real = metadata.version

    def version(name):
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    with pytest.raises(MissingError, match=f"{package} is not installed here") as caught:
        ray_start.installed_ray()
    assert caught.value.exit_code == 4
    assert caught.value.next.startswith("pip install 'ray[default]==")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
from raykit.local import ray_start
from raykit.errors import MissingError
try:
    ray_start.check_limits()
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
except MissingError as error:
    print(error.what, "|", error.next)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "said"),
    [
        (64, 2048, "1024"),
        (1500, 2048, "1500"),
        (
            64,
            64,
            "Ray needs 1024 open files, and this shell allows 64 | "
            "open a new shell, and allow more there: ulimit -n 4096",
        ),
    ],
)
def test_too_few_open_files_are_raised_or_refused_before_ray_hangs(soft, hard, said):
    _, mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    if mine != resource.RLIM_INFINITY and mine < hard:
        pytest.skip(f"this shell allows {mine} open files")
    words = [sys.executable, "-c", LIMITED, str(soft), str(hard)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (said, "")
