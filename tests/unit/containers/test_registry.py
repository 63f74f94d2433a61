"""Pushing: where to, and what a registry says."""

import pytest

from raykit.containers import registry
from raykit.errors import KubernetesError, MissingError, UsageError
from raykit.progress import Progress

DIGEST = f"sha256:{'a1' * 32}"
SOURCE = "raykit:2.60.0-py311-0123456789ab"


@pytest.mark.parametrize(
    ("repository", "target"),
    [
        ("r.example/raykit", "r.example/raykit:2.60.0-py311-0123456789ab"),
        ("127.0.0.1:5000/raykit", "127.0.0.1:5000/raykit:2.60.0-py311-0123456789ab"),
        ("127.0.0.1:5000/a/raykit:v1", "127.0.0.1:5000/a/raykit:v1"),
    ],
)
def test_an_image_keeps_its_tag_unless_another_is_given(repository, target):
    assert registry.target(repository, SOURCE) == target


@pytest.mark.parametrize(
    "repository", ["https://r.example/raykit", "r.example/Raykit", "", f"r/raykit@{DIGEST}", "r/ a"]
)
def test_what_is_no_repository_is_wrong_usage(repository):
    with pytest.raises(UsageError):
        registry.target(repository, SOURCE)


def pushed(tools, script, to="r.example/raykit:1"):
    tools(docker=f'case "$1" in push) {script};; esac')
    return registry.push(SOURCE, to, Progress())


def test_the_digest_that_the_registry_gives_is_part_of_the_answer(tools):
    said = f"echo 'ab: Pushed'; echo '1: digest: {DIGEST} size: 3041'"
    assert pushed(tools, said) == f"r.example/raykit:1@{DIGEST}"
    assert tools.called() == [
        f"docker tag {SOURCE} r.example/raykit:1",
        "docker push r.example/raykit:1",
    ]


@pytest.mark.parametrize("name", ["alice/raykit:1", "raykit:1"])
def test_names_without_a_registry_are_docker_hubs(tools, name):
    with pytest.raises(MissingError) as refused:
        pushed(tools, "echo denied >&2; exit 1", name)
    assert refused.value.next.startswith("docker login   (")


def test_a_registry_that_wants_a_login_says_so(tools):
    with pytest.raises(MissingError) as refused:
        pushed(tools, "echo 'denied: requested access to the resource is denied' >&2; exit 1")
    assert refused.value.next.startswith("docker login r.example")


def test_a_registry_that_is_not_there_is_no_matter_of_rights(tools):
    with pytest.raises(KubernetesError) as refused:
        pushed(tools, "echo 'dial tcp 127.0.0.1:1: connect: connection refused' >&2; exit 1")
    assert any("connection refused" in line for line in refused.value.evidence)


def test_a_push_without_a_digest_is_none(tools):
    with pytest.raises(KubernetesError, match="did not say its digest"):
        pushed(tools, "echo pushed")
