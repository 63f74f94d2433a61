"""What a submission sends is read and checked before a head is started."""

import pytest

from raykit import kit
from raykit.errors import UsageError
from raykit.submission import entrypoints, uploads


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a script, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pi.py").touch()
    return tmp_path


def refused(entrypoint, environment=None):
    with pytest.raises(UsageError) as caught:
        uploads.plan(entrypoint, environment or {})
    return caught.value


def packed(entrypoint, environment=None):
    found = uploads.plan(entrypoint, environment or {}).working_dir
    return [member.path for member in found.members] if found else None


def test_a_script_goes_with_its_folder_and_a_command_alone(folder):
    assert packed(entrypoints.find("./pi.py", [])) == ["pi.py"]
    assert packed(entrypoints.of_words(["python", "pi.py"])) is None
    assert packed(entrypoints.of_words(["true"]), {"working_dir": "."}) == ["pi.py"]


def test_a_script_that_is_ignored_goes_all_the_same(folder):
    (folder / ".gitignore").write_text("*.py\n")
    assert packed(entrypoints.find("pi.py", [])) == [".gitignore", "pi.py"]
    words = entrypoints.of_words(["python", "pi.py"], folder)
    assert packed(words, {"excludes": ["pi*"]}) == [".gitignore", "pi.py"]


@pytest.mark.parametrize("named", ["other", "s3://bucket/x.zip"])
def test_two_working_directories_are_a_contradiction(folder, named):
    (folder / "other").mkdir()
    error = refused(entrypoints.find("pi.py", []), {"working_dir": named})
    assert error.what == "the job has two working directories"
    assert f"{named} of the runtime environment" in error.evidence


def test_links_that_lead_to_each_other_are_no_working_directory(folder):
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (folder / ".rayignore").write_text("/a\n/b\n")
    error = refused(entrypoints.find("pi.py", []), {"working_dir": "a"})
    assert error.what == "the job has two working directories"
    with pytest.raises(UsageError, match="there is no folder"):
        entrypoints.of_file(folder / "pi.py", (), folder / "a")


def test_a_script_outside_of_its_working_directory_is_told_from_one_without(folder):
    (folder / "other").mkdir()
    with pytest.raises(UsageError, match="lies outside the working directory"):
        entrypoints.of_file(folder / "pi.py", (), folder / "other")
    with pytest.raises(UsageError, match=r"there is no folder .*/gone"):
        entrypoints.of_file(folder / "pi.py", (), folder / "gone")


def test_the_same_working_directory_twice_is_none(folder):
    assert packed(entrypoints.find("pi.py", []), {"working_dir": "."}) == ["pi.py"]


def test_an_address_is_left_to_the_head(folder):
    environment = {"working_dir": "s3://bucket/x.zip", "py_modules": ["gcs://a.zip"]}
    found = uploads.plan(entrypoints.of_words(["true"]), environment)
    assert (found.working_dir, found.modules) == (None, ["gcs://a.zip"])
    assert found.send(None, environment, None) == environment


def test_the_kit_goes_only_where_the_head_has_none():
    (sent,) = uploads.plan(entrypoints.find("fib", []), {}).modules
    assert (sent.path, sent.top) == (kit.root() / "jobs", "jobs")
    in_place = entrypoints.find("fib", []).from_kit("/opt/raykit")
    assert uploads.plan(in_place, {}).modules == []


@pytest.mark.parametrize(
    "name",
    [
        *("random.py", "types.py", "packaging/__init__.py", "_json.py"),
        *("typing.pyc", "random.so", "random.abi3.so", "types.cpython-311-x86_64-linux-gnu.so"),
    ],
)
def test_a_file_that_hides_a_module_of_rays_workers_is_refused_by_name(folder, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    error = refused(entrypoints.find("pi.py", []))
    assert error.evidence[0].startswith(f"{name} hides ")
    (folder / ".rayignore").write_text(f"/{name.partition('/')[0]}\n")
    assert packed(entrypoints.find("pi.py", [])) == [".rayignore", "pi.py"]


def test_what_hides_nothing_passes(folder):
    names = ("logging/notes.txt", "json/x.py", "sub/random.py", "test.py", "random.txt")
    for name in (*names, "types.pyi", "json.data.py", "sub/random.so", "random.so.1"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert len(packed(entrypoints.find("pi.py", []))) == 10


def test_a_module_that_hides_one_is_refused_too(folder):
    module = folder / "yaml"
    module.mkdir()
    (module / "__init__.py").touch()
    error = refused(entrypoints.of_words(["true"]), {"py_modules": [str(module)]})
    assert error.evidence == ("yaml/__init__.py hides Ray's yaml",)


@pytest.mark.parametrize("environment", [{"py_modules": ["nowhere"]}, {"working_dir": "nowhere"}])
def test_a_folder_that_is_missing_is_named(folder, environment):
    error = refused(entrypoints.of_words(["true"]), environment)
    assert "nowhere" in " ".join([error.what, *error.evidence])
    assert error.next
