"""Tools that are absent, too old or broken are refused with the command that mends it."""

import json

import pytest

from raykit.containers import docker, image, kind
from raykit.errors import MissingError

INFO = {"ServerVersion": "28.2.2", "NCPU": 2, "MemTotal": 16 * 1024**3, "Architecture": "x86_64"}
SOCKET = "unix:///var/run/docker.sock"


def says(text, code=0, stream=1):
    return f"cat <<'END' >&{stream}\n{text}\nEND\nexit {code}"


def engine_that_says(info, stderr="", code=0):
    return f"""case "$1" in
info) {says(json.dumps(info))[: -len("exit 0")]} echo "{stderr}" >&2; exit {code};;
context) echo {SOCKET};;
esac"""


def refusal(call):
    with pytest.raises(MissingError) as refused:
        call()
    return refused.value


def test_no_docker_says_where_to_get_it(tools):
    tools()
    error = refusal(docker.engine)
    assert error.what == "docker is not on PATH"
    assert "docs.docker.com" in error.next


def test_a_stopped_daemon_is_refused_with_its_socket_and_how_to_start_it(tools, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    broken = {"ServerErrors": ["Cannot connect to the Docker daemon at unix:///x. Is it running?"]}
    tools(docker=engine_that_says(broken, code=1))
    error = refusal(docker.engine)
    assert error.what == f"the docker engine does not answer at {SOCKET}"
    assert any("Cannot connect" in line for line in error.evidence)
    assert "systemctl start docker" in error.next


def test_docker_host_is_the_socket_that_is_named(tools, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    tools(docker=engine_that_says({}, "no such host", code=1))
    assert "tcp://elsewhere:2375" in refusal(docker.engine).what


def test_a_user_outside_the_docker_group_is_told_apart(tools):
    denied = {"ServerErrors": ["permission denied while trying to connect to the socket"]}
    tools(docker=engine_that_says(denied, code=1))
    error = refusal(docker.engine)
    assert error.what.startswith("not allowed to use the docker engine")
    assert "usermod -aG docker" in error.next
    assert "rootless" in error.next


def test_the_engine_tells_its_machine(tools):
    tools(docker=engine_that_says(INFO))
    engine = docker.engine()
    assert (engine.cpus, engine.memory, engine.architecture) == (2, 16 * 1024**3, "amd64")


def test_no_kind_says_where_to_get_it(tools):
    tools()
    error = refusal(kind.check_version)
    assert error.what == "kind is not on PATH"
    assert "kind.sigs.k8s.io" in error.next


@pytest.mark.parametrize("version", ["v0.20.0", "v0.26.9", "v1.0.0"])
def test_a_kind_out_of_range_is_refused_with_the_range(tools, version):
    tools(kind=f"echo kind {version} go1.26 linux/amd64")
    error = refusal(kind.check_version)
    assert error.what == f"kind {version} does not fit: raykit needs 0.27 or newer, below 1.0"


@pytest.mark.parametrize("version", ["v0.27.0", "v0.33.0", "v0.34.0-alpha"])
def test_a_kind_in_range_is_taken(tools, version):
    tools(kind=f"echo kind {version} go1.26 linux/amd64")
    assert kind.check_version() == version


def test_a_kind_that_says_no_version_is_refused(tools):
    tools(kind="echo hello")
    assert refusal(kind.check_version).what == "cannot read kind's version"


def test_a_built_image_is_not_built_again(tools):
    tools(docker='echo \'[{"Id": "sha256:1"}]\'')
    image.build("raykit:2.60.0-py311-abc", progress=None)
    assert [line.split()[1:3] for line in tools.called()] == [["image", "inspect"]]
