"""Warm heads: one a name, known by a lock, never lost, never ended by looking."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raykit.errors import ConflictError, MissingError, UsageError
from raykit.local import folders, heads, warm
from raykit.progress import Progress

UP = """
import sys
from raykit.local import ray_start, warm
from raykit.progress import Progress
ray_start.head_words = lambda *_: [sys.executable, "-c", sys.argv[2]]
head, is_new = warm.up(sys.argv[1], 1, Progress())
print(head.folder, is_new, flush=True)
"""
SILENT = "import time; time.sleep(600)"
LIST = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("psutil", "ray"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from raykit.local import warm
for head in warm.running():
    print(head.name)
    if "down" in sys.argv:
        warm.down(head)
"""


@pytest.fixture
def up(world):
    """`up(name)`: a warm head with a stand-in for Ray, ended after the test."""

    def start(name="local", nodes=1):
        return warm.up(name, nodes, Progress())[0]

    yield start
    for head in warm.running():
        warm.down(head)


@pytest.fixture
def start(world, stand_in_code):
    """`start(name)`: `up` in a process of its own."""
    started = []

    def begin(name="local", code=stand_in_code):
        words = [sys.executable, "-c", UP, name, code]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for child in started:
        child.kill()
        child.communicate()
    for head in warm.running():
        warm.down(head)


def listed(*words):
    command = [sys.executable, "-c", LIST, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_warm_head_is_up_until_it_is_taken_down(
    up, stand_in, processes_of, eventually, heads_left, world
):
    head = up("mine")
    assert warm.find("mine") == head
    assert up("mine") == head
    assert warm.find("other") is None
    warm.down(head)
    assert warm.running() == []
    assert heads_left() == []
    eventually(lambda: not processes_of(head.folder))
    assert [path.name for path in (world / "raykit").iterdir()] == ["mine.lock"]


def test_all_that_names_a_head_is_for_its_owner_only(up, stand_in, world):
    up("mine")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (world / "raykit").iterdir()}
    assert modes == {"mine.json": 0o600, "mine.lock": 0o600}
    assert (world / "raykit").stat().st_mode & 0o777 == 0o700


def test_looking_without_psutil_sees_the_head_and_changes_nothing(up, stand_in):
    head = up("mine")
    assert listed() == ["mine"]
    assert listed() == ["mine"]
    assert warm.find("mine") == head
    assert Path(head.folder).exists()


def test_a_head_is_taken_down_without_psutil(up, stand_in, processes_of, eventually):
    head = up("mine")
    assert listed("down") == ["mine"]
    assert warm.running() == []
    eventually(lambda: not processes_of(head.folder))


def test_a_step_of_the_clock_changes_nothing(up, stand_in, monkeypatch):
    head = up("mine")
    monkeypatch.setattr(time, "time", lambda: head.started + 1e6)
    assert warm.find("mine") == head


def test_a_process_that_got_the_id_of_a_dead_supervisor_is_left_alone(up, stand_in, world):
    head = up("mine")
    path = world / "raykit" / "mine.json"
    stale = json.loads(path.read_text()) | {"supervisor": os.getpid()}
    warm.down(head)
    path.write_text(json.dumps(stale))
    assert warm.running() == []
    warm.down(warm._read(path))
    assert up("mine").supervisor != os.getpid()


def test_kill_9_of_the_supervisor_leaves_nothing_after_the_next_command(
    up, stand_in, processes_of, eventually, heads_left
):
    head = up("mine")
    os.kill(head.supervisor, signal.SIGKILL)
    eventually(lambda: not processes_of(head.folder))
    assert warm.running() == []
    another = up("mine")
    assert [str(folder) for folder in heads_left()] == [another.folder]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_an_up_that_is_killed_during_the_start_leaves_no_head(
    start, processes_of, all_processes, heads_left, eventually, world, number
):
    child = start(code=SILENT)
    (folder,) = eventually(heads_left)
    eventually(lambda: len(processes_of(folder)) == all_processes)
    child.send_signal(number)
    eventually(lambda: not processes_of(folder) and not heads_left())
    assert not list((world / "raykit").glob("*.json"))


def test_a_folder_whose_maker_was_killed_at_once_goes_with_the_next_start(
    world, start, heads_left, eventually
):
    (world / "rkh-abandoned").mkdir(mode=0o700)
    folder, _ = start().communicate(timeout=240)[0].split()
    assert [str(each) for each in heads_left()] == [folder]


def test_two_that_start_one_name_at_once_get_one_head_and_one_of_them_made_it(start, heads_left):
    first, second = start(), start()
    said = [child.communicate(timeout=240)[0].split() for child in (first, second)]
    folders, made = ({*column} for column in zip(*said, strict=True))
    assert folders == {str(folder) for folder in heads_left()}
    assert len(folders) == 1
    assert made == {"True", "False"}


def test_a_name_whose_start_was_killed_can_be_started_again(
    start, heads_left, processes_of, eventually
):
    child = start(code=SILENT)
    (killed,) = eventually(heads_left)
    eventually(lambda: processes_of(killed))
    child.kill()
    folder, _ = start().communicate(timeout=240)[0].split()
    head = eventually(lambda: warm.find("local"))
    assert head.folder == folder
    eventually(lambda: [str(each) for each in heads_left()] == [folder])
    assert warm.find("local") == head


def test_another_number_of_nodes_is_a_conflict_with_the_way_out(up, stand_in):
    up("mine")
    with pytest.raises(ConflictError) as refused:
        up("mine", nodes=2)
    assert refused.value.next.startswith("raykit down mine --on local")


@pytest.mark.parametrize("name", ["", "A", "a_b", "../x", "a" * 60, "-a"])
def test_names_that_could_be_paths_are_refused(world, name):
    with pytest.raises(UsageError):
        warm.up(name, 1, Progress())


@pytest.mark.parametrize("kind", ["relative", "absent", "foreign", "read-only"])
def test_a_runtime_folder_that_is_not_ours_counts_as_unset(monkeypatch, world, kind):
    places = {"relative": "here", "absent": str(world / "none"), "foreign": "/proc/1"}
    place = Path(places.get(kind, str(world)))
    if kind == "foreign":
        monkeypatch.setattr(warm.os, "getuid", lambda: 4242)
        place = world
    if kind == "read-only":
        monkeypatch.setattr(warm.os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    assert warm.state_folder() == Path(f"/tmp/raykit-{os.getuid()}")
    assert kind != "foreign" or warm.running() == []


@pytest.mark.parametrize("squat", ["file", "link", "foreign"])
def test_a_state_folder_of_somebody_else_is_refused_and_not_read(
    monkeypatch, world, squat, tmp_path
):
    folder = world / "raykit"
    monkeypatch.setattr(warm, "state_folder", lambda: folder)
    if squat == "file":
        folder.write_text("")
    elif squat == "link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir()
        monkeypatch.setattr(warm.os, "getuid", lambda: 4242)
    assert warm.running() == []
    with pytest.raises(MissingError) as refused:
        warm.up("mine", 1, Progress())
    assert refused.value.next.startswith("export XDG_RUNTIME_DIR=")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}', '{"folder": 5, "name": "x"}'])
def test_a_state_file_that_makes_no_sense_is_passed_over_and_kept(world, text):
    (world / "raykit").mkdir(mode=0o700)
    path = world / "raykit" / "odd.json"
    path.write_text(text)
    assert warm.running() == []
    assert path.exists()


def test_a_head_that_does_not_end_by_itself_is_killed(up, stand_in, monkeypatch, processes_of):
    head = up("mine")
    monkeypatch.setattr(heads, "END_TIMEOUT_SECONDS", 0.3)
    os.kill(head.supervisor, signal.SIGSTOP)
    warm.down(head)
    assert not folders.is_locked(Path(head.folder))
    assert not Path(head.folder).exists()
