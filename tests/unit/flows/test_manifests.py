"""Objects as a folder for Kustomize: what is written, what is left alone, what drift looks like."""

import subprocess
from pathlib import Path

import pytest
import yaml

from raykit.errors import ConflictError, MissingError
from raykit.flows import manifests
from raykit.manifests.render import render
from raykit.spec.load import load, overridden

SPEC = """\
name: mine
disruptionBudget: true
networkPolicy: {enabled: true, apiServer: [10.0.0.1/32]}
monitoring: {enabled: true}
head: {taskCpus: 1, memory: 2Gi}
"""


def objects(*jobs):
    return render(overridden(load(SPEC), jobs=jobs), image="raykit:x")


@pytest.fixture
def folder(tmp_path):
    """The folder of the spec with some jobs."""
    return lambda *jobs: manifests.folder(tmp_path / "out", Path("a/mine.yaml"), objects(*jobs))


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def test_each_object_is_one_file_named_after_what_it_is(folder):
    made = folder("fib --size 20", "fib --size 30")
    written, removed = made.write()
    assert (sorted(path.name for path in written), removed) == (names(made), [])
    assert {
        "kustomization.yaml",
        "poddisruptionbudget-head.yaml",
        "raycluster.yaml",
        "rayjob-fib.yaml",
        "rayjob-fib-2.yaml",
    } < set(names(made))
    held = [yaml.safe_load((made.path / name).read_text()) for name in names(made)]
    listed = yaml.safe_load((made.path / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == names(made)
    for each in objects("fib --size 20", "fib --size 30"):
        assert each in held


def test_a_second_time_nothing_is_written(folder):
    folder().write()
    assert folder().write() == ([], [])
    assert folder().diff() == ""


def test_a_file_that_is_written_again_keeps_its_permissions(folder, tmp_path):
    folder().write()
    file = tmp_path / "out" / "raycluster.yaml"
    file.write_bytes(file.read_bytes() + b"# edited\n")
    file.chmod(0o600)
    (file.parent / ".raycluster.yaml.new").write_bytes(b"of an interrupted command")
    assert file in folder().write()[0]
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_not_rendered_any_more_is_removed_and_what_others_wrote_stays(folder):
    made = folder("fib")
    made.write()
    (made.path / "notes.yaml").write_text("a: 1\n")
    (made.path / "notes.md").write_text("mine")
    written, removed = folder().write()
    assert "kustomization.yaml" in [path.name for path in written]
    assert [path.name for path in removed] == ["rayjob-fib.yaml"]
    assert {"notes.yaml", "notes.md"} < set(names(made))


def test_a_copy_of_a_rendered_file_is_not_removed(folder):
    made = folder("fib")
    made.write()
    (made.path / "backup.yaml").write_bytes(made.files["raycluster.yaml"])
    assert [path.name for path in folder().stale()] == ["rayjob-fib.yaml"]
    folder().write()
    assert "backup.yaml" in names(made)


def test_an_interrupted_removal_is_completed_by_the_next_command(folder, monkeypatch):
    made = folder("fib")
    made.write()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", interrupt)
        with pytest.raises(KeyboardInterrupt):
            folder().write()
    assert folder().write()[1] == [made.path / "rayjob-fib.yaml"]
    assert "rayjob-fib.yaml" not in names(made)


def interrupt(*_args, **_options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["raycluster.yaml", "kustomization.yaml"])
def test_a_file_of_someone_else_is_in_the_way_and_nothing_is_changed(folder, name):
    made = folder()
    made.path.mkdir()
    (made.path / name).write_text("kind: Kustomization\n")
    with pytest.raises(ConflictError) as raised:
        made.write()
    assert raised.value.evidence == (str(made.path / name),)
    assert names(made) == [name]


def test_a_link_is_replaced_and_what_it_leads_to_is_not_written(folder, tmp_path):
    made = folder()
    made.write()
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_bytes(made.files["raycluster.yaml"] + b"# edited\n")
    (made.path / "raycluster.yaml").unlink()
    (made.path / "raycluster.yaml").symlink_to(elsewhere)
    made.write()
    assert elsewhere.read_bytes().endswith(b"# edited\n")
    assert made.diff() == ""


def test_a_folder_that_is_a_file_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(MissingError, match="out is no folder"):
        manifests.folder(tmp_path / "out", Path("mine.yaml"), objects()).write()


def test_the_diff_leads_from_the_folder_to_what_is_rendered(folder):
    made = folder("fib")
    made.write()
    head = made.path / "raycluster.yaml"
    head.write_text(head.read_text().replace("kind: RayCluster", "kind: Edited") + "# no line end")
    (made.path / "poddisruptionbudget-head.yaml").unlink()
    wanted = folder()
    diff = wanted.diff()
    assert "-kind: Edited\n+kind: RayCluster\n" in diff
    assert f"--- /dev/null\n+++ {made.path}/poddisruptionbudget-head.yaml" in diff
    assert f"--- {made.path}/rayjob-fib.yaml\n+++ /dev/null" in diff
    patched = subprocess.run(["git", "apply", "--unsafe-paths", "-p1", "-"], input=diff,
                             text=True, cwd="/", capture_output=True)  # fmt: skip
    assert patched.returncode == 0, patched.stderr
    assert wanted.diff() == ""


def test_a_spec_that_is_gone_leaves_a_folder_that_is_stale(tmp_path):
    clusters, base = tmp_path / "clusters", tmp_path / "base"
    clusters.mkdir()
    for shape in ("one", "two"):
        (clusters / f"{shape}.yaml").write_text(SPEC)
    manifests.write(clusters, base, "raykit:x")
    manifests.check(clusters, base, "raykit:x")
    (clusters / "two.yaml").unlink()
    with pytest.raises(ConflictError) as raised:
        manifests.check(clusters, base, "raykit:x")
    assert "+++ /dev/null" in raised.value.evidence
    manifests.write(clusters, base, "raykit:x")
    assert list((base / "two").iterdir()) == []
