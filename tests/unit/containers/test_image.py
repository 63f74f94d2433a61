"""The image is named by what goes in, and by nothing else."""

import shutil

import pytest

from raykit import kit
from raykit.containers import docker, image
from raykit.errors import ConflictError
from raykit.progress import Progress


@pytest.fixture
def copy(tmp_path):
    """A copy of what goes into the image."""
    root = tmp_path / "kit"
    for path in image.contents(kit.root()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kit.root() / path, root / path)
    return root


def test_the_tag_names_the_ray_version_first():
    repository, tag = image.reference().split(":")
    assert repository == "raykit"
    assert tag.startswith("2.60.0-py311-")
    assert len(tag.rsplit("-", 1)[1]) == 12


def test_the_same_files_elsewhere_make_the_same_reference(copy):
    assert image.reference(copy) == image.reference(kit.root())


@pytest.mark.parametrize("path", ["Dockerfile", "jobs/fib/__main__.py"])
def test_any_change_of_a_file_changes_it(copy, path):
    before = image.reference(copy)
    with (copy / path).open("a") as file:
        file.write("\n")
    assert image.reference(copy) != before


def test_a_new_file_and_a_renamed_one_change_it(copy):
    before = image.reference(copy)
    (copy / "jobs" / "mine.py").write_text("")
    added = image.reference(copy)
    (copy / "jobs" / "mine.py").rename(copy / "jobs" / "yours.py")
    assert len({before, added, image.reference(copy)}) == 3


def test_byte_code_does_not_change_it(copy):
    before = image.reference(copy)
    (copy / "jobs" / "__pycache__").mkdir()
    (copy / "jobs" / "__pycache__" / "fib.cpython-311.pyc").write_bytes(b"x")
    assert image.reference(copy) == before


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("raykit:2.60.0-py311-abc", True),
        ("docker.io/library/raykit:1", True),
        ("rayproject/ray:2.60.0", False),
        ("example.com/raykit:2.60.0", False),
        ("raykit", False),
    ],
)
def test_own_images_are_known_by_their_name(name, own):
    assert image.is_own(name) is own


def test_an_image_in_a_registry_has_our_jobs_if_its_tag_has_the_hash_of_these_jobs():
    tag = image.reference().partition(":")[2]
    assert image.has_jobs("raykit:2.60.0-py311-abc")
    assert image.has_jobs(f"r.example:5000/team/raykit:{tag}@sha256:{'a1' * 32}")
    assert not image.has_jobs("r.example:5000/team/raykit:2.60.0-py311-0123456789ab")
    assert not image.has_jobs(f"r.example/raykit@sha256:{'a1' * 32}")


def test_files_that_changed_since_the_reference_was_taken_are_not_built_under_it(
    tools, monkeypatch
):
    tools(docker="exit 1")
    engine = docker.Engine("28", 2, 1, "amd64")
    monkeypatch.setattr(docker, "engine", lambda: engine)
    with pytest.raises(ConflictError, match="have changed meanwhile"):
        image.build("raykit:2.60.0-py311-000000000000", Progress())


@pytest.mark.parametrize(("architecture", "suffix"), [("amd64", ""), ("arm64", "-aarch64")])
def test_the_base_follows_the_architecture_of_the_nodes(tools, monkeypatch, architecture, suffix):
    tools(docker='case "$1" in image) exit 1;; esac')
    engine = docker.Engine("28", 2, 1, architecture)
    monkeypatch.setattr(docker, "engine", lambda: engine)
    image.build(image.reference(), Progress())
    built = next(line for line in tools.called() if line.startswith("docker build"))
    assert f"--build-arg ARCH={suffix} " in built


def test_only_nodes_that_lack_the_image_get_it(tools):
    tools(
        docker='case "$*" in "exec full crictl"*) exit 0;; exec*) exit 1;; *) echo "[{}]";; esac',
        kind="exit 0",
    )
    loaded = image.load("raykit", ["full", "empty"], "raykit:1", Progress())
    assert loaded == ["empty"]
    assert tools.called()[-1] == "kind load docker-image raykit:1 --name raykit --nodes empty"


def test_nothing_is_loaded_where_no_node_lacks_it(tools):
    tools(docker="exit 0")
    assert image.load("raykit", ["one", "two"], "raykit:1", Progress()) == []
