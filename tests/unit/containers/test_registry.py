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


BUILT_HERE = '[{"RepoDigests": []}]'
PUSHED = f'[{{"RepoDigests": ["r.example/mine@{DIGEST}"]}}]'


def docker_with(tools, inspected, manifest="exit 1"):
    """A docker whose engine has an image; manifest: what asking its registry does."""
    tools(docker=f"case \"$1\" in image) echo '{inspected}';; manifest) {manifest};; esac")


@pytest.mark.parametrize("name", ["mine:dev", "docker.io/library/mine:dev", "mine"])
def test_a_name_without_a_registry_that_was_built_here_is_only_here(tools, name):
    docker_with(tools, BUILT_HERE)
    assert registry.only_here(name)
    assert len(tools.called()) == 1, "Docker's own repositories need no question"
    assert registry.push_command(name).startswith(f"docker tag {name} REGISTRY/mine")


def test_what_was_pushed_or_pulled_is_in_its_registry(tools):
    docker_with(tools, PUSHED, "echo 'no such manifest' >&2; exit 1")
    assert not registry.only_here("r.example/mine:1")
    assert registry.only_here("r.example/other:1"), "the digest is that of another repository"


@pytest.mark.parametrize(
    ("answer", "only_here"),
    [
        ("echo 'no such manifest: r.example/mine:1' >&2; exit 1", True),
        ("echo 'errors: manifest unknown: manifest unknown' >&2; exit 1", True),
        ("echo 'name unknown: repository name not known to registry' >&2; exit 1", True),
        ("echo '{}'", False),
        ("echo 'denied: requested access to the resource is denied' >&2; exit 1", False),
        ("echo 'dial tcp: lookup r.example: no such host' >&2; exit 1", False),
        ("echo 'docker-credential-x: executable file not found in $PATH' >&2; exit 1", False),
    ],
)
def test_a_registry_is_asked_and_one_that_does_not_say_may_have_the_image(tools, answer, only_here):
    docker_with(tools, BUILT_HERE, answer)
    assert registry.only_here("r.example/mine:1") is only_here
    assert tools.called()[-1] == "docker manifest inspect r.example/mine:1"
    assert registry.push_command("r.example/mine:1") == "docker push r.example/mine:1"


@pytest.mark.parametrize("name", ["127.0.0.1:5000/mine:1", "localhost/mine:1", "[::1]:5000/mine:1"])
def test_a_registry_on_loopback_is_asked_without_tls_as_docker_pushes_to_it(tools, name):
    docker_with(tools, BUILT_HERE)
    registry.only_here(name)
    assert tools.called()[-1] == f"docker manifest inspect --insecure {name}"


def test_an_image_that_docker_lacks_or_a_digest_may_be_in_a_registry(tools):
    assert not registry.only_here("r.example/mine:1"), "no docker at all"
    docker_with(tools, "[]")
    assert not registry.only_here("mine:dev")
    assert not registry.only_here(f"mine@{DIGEST}")
