"""`raykit init`: a spec to start from, valid, with its schema, never over a file that is there."""

import pytest

from raykit.errors import ConflictError, MissingError, SpecError, UsageError
from raykit.flows import starter
from raykit.spec.load import load_file


@pytest.mark.parametrize("shape", starter.shapes())
def test_every_shape_can_be_started_from(tmp_path, shape):
    path = starter.write(shape, tmp_path, "mine")
    assert load_file(path).name == "mine"
    first = path.read_text("utf-8").splitlines()[0]
    assert (tmp_path / first.removeprefix(starter.SCHEMA_LINE)).is_file()


def test_a_file_that_is_there_stays(tmp_path):
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(ConflictError):
        starter.write("single-node", tmp_path, "mine")
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def test_an_unknown_shape_names_the_nearest(tmp_path):
    with pytest.raises(UsageError) as refused:
        starter.write("singel-node", tmp_path)
    assert refused.value.evidence == ("did you mean single-node?",)


@pytest.mark.parametrize("name", ["A/../b", "a\\1", "a: b", "a\nb", "", "c" * 54])
def test_a_name_that_no_cluster_may_have_writes_nothing(tmp_path, name):
    with pytest.raises(SpecError) as refused:
        starter.write("single-node", tmp_path, name)
    assert refused.value.next == "raykit init single-node --name ANOTHER"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingError):
        starter.write("single-node", tmp_path / "none")
