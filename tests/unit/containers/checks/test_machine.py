"""Each check of docker's machine, broken on purpose."""

import pytest

from raykit.checks import State
from raykit.containers import kind
from raykit.containers.checks import machine
from raykit.containers.docker import Engine

GIB = 1024**3


def engine(memory=16 * GIB, root="/", cgroup="2"):
    return Engine("28.2", 2, memory, "amd64", root, cgroup)


def test_little_memory_is_a_warning_with_what_is_needed():
    check = machine.memory(engine(memory=2 * GIB))
    assert (check.state, check.what) == (State.warn, "the docker engine has 2.0 GiB of memory")
    assert "needs 4 GiB" in check.evidence[0]
    assert machine.memory(engine()).state is State.ok


def test_a_full_disk_is_a_warning(monkeypatch):
    usage = type("Usage", (), {"free": 3 * GIB})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    check = machine.disk(engine())
    assert (check.state, check.what) == (State.warn, "3 GiB are free in /")
    assert check.next.startswith("docker system prune")


def test_the_disk_of_an_engine_elsewhere_is_not_looked_at():
    assert machine.disk(engine(root="/no/such/folder")).state is State.skipped


@pytest.mark.parametrize(("version", "state"), [("1", "warn"), ("2", "ok"), ("", "ok")])
def test_cgroup_v1_is_a_warning(version, state):
    assert machine.cgroups(engine(cgroup=version)).state == state


@pytest.mark.parametrize(("text", "state"), [("128", "warn"), ("512", "ok"), (None, "skipped")])
def test_few_inotify_instances_are_a_warning(tmp_path, monkeypatch, text, state):
    path = tmp_path / "max_user_instances"
    if text:
        path.write_text(text)
    monkeypatch.setattr(kind, "WATCHERS", path)
    check = machine.inotify()
    assert check.state == state
    assert check.next == (kind.INOTIFY_COMMAND if state == "warn" else "")


def test_without_an_engine_nothing_is_said_of_its_machine(tools):
    tools()
    (check,) = machine.engine()
    assert (check.name, check.state) == ("docker", State.warn)


BUILT = "case \"$1\" in image) echo '[{}]';; *) %s;; esac"


def test_an_engine_that_starts_no_privileged_container_is_a_warning(tools):
    tools(docker=BUILT % "echo privileged mode is incompatible with user namespaces >&2; exit 125")
    check = machine.privileged()
    assert check.state is State.warn
    assert "privileged mode is incompatible with user namespaces" in check.evidence
    assert check.evidence[0].startswith("$ docker run --rm --privileged --network none")


def test_a_privileged_container_that_starts_is_ok_and_without_an_image_none_is_tried(tools):
    tools(docker=BUILT % "exit 0")
    assert machine.privileged().state is State.ok
    tools(docker="echo '[]'")
    check = machine.privileged()
    assert (check.state, check.next) == (State.skipped, "raykit image build")
