"""The image of a spec is replaced on its own line, and nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import ConflictError, KubernetesError, RaykitError, UsageError
from raykit.flows.clusters import images
from raykit.progress import Progress
from raykit.spec import load

NEW = f"r.example/raykit:2.60.0-py311-0@sha256:{'0' * 64}"
HEAD = "head: {taskCpus: 1, cpu: 100m, memory: 2Gi}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"name: c\nimage: raykit:1\n{HEAD}", f"name: c\nimage: {NEW}\n{HEAD}"),
        (f"# image: x\nname: c\n{HEAD}", f"# image: x\nname: c\nimage: {NEW}\n{HEAD}"),
        (f"image: 'a/b:1'  # ours\nname: c\n{HEAD}", f"image: {NEW}  # ours\nname: c\n{HEAD}"),
        (f"image:   # none\nname: c\n{HEAD}", f"image: {NEW} # none\nname: c\n{HEAD}"),
        (f'image: "a"\r\nname: c\r\n{HEAD}', f"image: {NEW}\r\nname: c\r\n{HEAD}"),
        (f"name: c  # it\r\n{HEAD}", f"name: c  # it\r\nimage: {NEW}\r\n{HEAD}"),
    ],
)
def test_the_line_is_replaced_or_stands_below_the_name(before, after):
    assert images.with_image(before, NEW, "c.yaml") == after


@pytest.mark.parametrize(
    "text",
    [
        "{name: c, head: {taskCpus: 1, cpu: 100m, memory: 2Gi}}\n",
        '"image": raykit:1\nname: c\n' + HEAD,
    ],
)
def test_a_spec_without_such_a_line_is_left_alone(text):
    with pytest.raises(RaykitError):
        images.with_image(text, NEW, "c.yaml")


def test_a_block_below_the_line_is_not_torn(tmp_path):
    with pytest.raises(RaykitError):
        images.with_image(f"name: c\nimage: >-\n  a/b:1\n{HEAD}", NEW, "c.yaml")


@given(st.text(alphabet="# abc:\n\r\t'\"", max_size=40))
def test_whatever_comments_a_spec_has_it_stays_a_spec_with_the_new_image(text):
    comments = "".join(f"# {line}\n" for line in text.splitlines())
    changed = images.with_image(f"{comments}name: c\n{comments}{HEAD}", NEW, "c.yaml")
    assert load.load(changed, "c.yaml").image == NEW


def test_a_bad_repository_is_refused_before_anything_is_built(raykit, tools):
    tools()
    code, _, said = raykit("image", "push", "https://r.example/raykit")
    assert code == UsageError.exit_code
    assert "no scheme" in said


@pytest.mark.parametrize("name", ["bad image", "--privileged", "https://r.example/ray"])
def test_what_is_no_image_is_not_given_to_docker(raykit, tools, name):
    folder = tools(docker="echo")
    code, _, said = raykit("image", "check", "--", name)
    assert code == UsageError.exit_code
    assert "is no image reference" in said
    assert not (folder / "called").exists()


@pytest.fixture
def push(tmp_path, monkeypatch):
    """`push(during)`: push the image of a spec; during: what happens while it is pushed."""
    spec = tmp_path / "c.yaml"
    spec.write_text(f"name: c\n{HEAD}")

    def run(during):
        monkeypatch.setattr(images.docker, "engine", lambda: None)
        monkeypatch.setattr(images.builds, "build", lambda *_: ["raykit:1"])
        monkeypatch.setattr(images.registry, "push", lambda *_: during(spec) or NEW)
        images.push("r.example/raykit", spec, Progress())
        return spec.read_text()

    return run


def test_an_edit_of_the_spec_during_the_push_is_kept(push):
    text = push(lambda spec: spec.write_text(f"name: c\n{HEAD}namespace: team\n") and None)
    assert text == f"name: c\nimage: {NEW}\n{HEAD}namespace: team\n"


def test_a_digest_is_told_where_the_spec_can_no_longer_hold_it(push):
    with pytest.raises(ConflictError) as refused:
        push(lambda spec: spec.unlink())
    assert refused.value.next == f"write there: image: {NEW}"


def test_a_docker_that_does_not_answer_skips_the_image_in_doctor(monkeypatch):
    def silent(_):
        raise KubernetesError("docker did not answer for 30 s")

    monkeypatch.setattr(images.contents, "by_docker", silent)
    (check,) = images.check_for_doctor(load.load(f"name: c\nimage: a/b:1\n{HEAD}", "c.yaml"))
    assert (check.state, check.what) == ("skipped", "not checked: docker did not answer for 30 s")
