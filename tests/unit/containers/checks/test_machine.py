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
