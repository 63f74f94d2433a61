"""What a folder holds for `raykit validate`, and what is passed over."""

import io

import pytest

from raykit.errors import UsageError
from raykit.flows.validating import inputs


@pytest.fixture
def tree(tmp_path):
    """Write files of a folder; returns what is collected of it, relative to it."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a: 1\n")
        given = inputs.collect([tmp_path])
        return [each.file.removeprefix(f"{tmp_path}/") for each in given.texts], given.charts

    return write


def test_yaml_files_of_all_folders_are_read_in_order(tree):
    assert tree("b.yml", "a/c.yaml", "a/notes.txt", "d.json") == (["a/c.yaml", "b.yml"], 0)


def test_hidden_folders_and_test_data_are_passed_over(tree):
    assert tree(".git/a.yaml", "x/testdata/a.yaml", "x/b.yaml") == (["x/b.yaml"], 0)


def test_a_chart_is_passed_over_with_everything_in_it(tree):
    files = ("Chart.yaml", "values.yaml", "templates/a.yaml", "ci/v.yaml", "charts/s/Chart.yaml")
    assert tree("b.yaml", *(f"charts/mine/{each}" for each in files)) == (["b.yaml"], 1)


def test_a_folder_of_a_chart_is_passed_over_too(tree, tmp_path):
    tree("mine/Chart.yaml", "mine/templates/a.yaml", "mine/templates/tests/b.yaml")
    for below in ("templates", "templates/tests"):
        given = inputs.collect([tmp_path / "mine" / below])
        assert (given.texts, given.charts) == ([], 1)


def test_templates_without_a_chart_are_files_like_others(tree):
    assert tree("templates/a.yaml") == (["templates/a.yaml"], 0)


def test_a_link_to_a_folder_is_not_followed(tree, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    assert tree("a.yaml") == (["a.yaml"], 0)


def test_a_folder_with_too_many_entries_is_wrong_usage(tree, monkeypatch):
    monkeypatch.setattr(inputs, "MOST_ENTRIES", 3)
    with pytest.raises(UsageError, match="more than 3 entries"):
        tree(*(f"{at}.yaml" for at in range(4)))


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    assert len(inputs.collect([path, path]).texts) == 1


def test_standard_input_that_is_closed_is_wrong_usage(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="it is closed"):
        inputs.collect([inputs.Path("-")])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    assert inputs.collect([inputs.Path("-")]).texts[0].data == b"x"
