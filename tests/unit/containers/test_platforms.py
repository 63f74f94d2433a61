"""An image for several architectures: what is built, joined, and said where docker cannot."""

import pytest

from raykit.containers import docker, image, platforms, registry
from raykit.errors import KubernetesError, MissingError, UsageError
from raykit.progress import Progress

DIGEST = f"sha256:{'a1' * 32}"
LIST = f"sha256:{'b2' * 32}"
TO = "r.example/raykit:1"
BOTH = ["linux/amd64", "linux/arm64"]


@pytest.fixture
def engine(monkeypatch, tools):
    """`engine(build=…, built=…)`: a docker of an amd64 machine, which has no image yet.

    build: what building for another architecture does; built: that architecture, as docker sees it.
    """
    monkeypatch.setattr(docker, "engine", lambda: docker.Engine("28", 2, 1, "amd64"))

    def docker_that(build="exit 0", built="arm64", more=""):
        folder = tools()
        inspect = f"""
            case "$*" in
              *-arm64) [ -e {folder}/arm64 ] && echo '[{{"Architecture": "{built}"}}]' ;;
              *) [ -e {folder}/amd64 ] && echo '[{{"Architecture": "amd64"}}]' ;;
            esac; exit 0"""
        build = f"""
            case "$*" in
              *--platform*) : > {folder}/arm64; {build} ;;
              *) : > {folder}/amd64 ;;
            esac"""
        push = f"echo 'digest: {DIGEST} size: 1'"
        tools(
            docker=f"""PATH=/bin:/usr/bin
            case "$1" in
              image) {inspect};; build) {build};; push) {push};; {more}
            esac"""
        )

    return docker_that


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["linux/arm64"], ["linux/arm64"]),
        (["linux/arm64, linux/amd64"], ["linux/arm64", "linux/amd64"]),
        (["linux/amd64", "linux/arm64,linux/amd64"], BOTH),
        ([], []),
    ],
)
def test_platforms_may_be_repeated_and_hold_commas(words, expected):
    assert platforms.parse(words) == expected


@pytest.mark.parametrize("word", ["arm64", "linux/ppc64le", "windows/amd64", "", "linux/arm64,"])
def test_a_platform_without_an_image_of_ray_is_wrong_usage(word):
    with pytest.raises(UsageError) as refused:
        platforms.parse([word])
    assert refused.value.next == "--platform linux/amd64,linux/arm64"


def test_each_platform_has_its_own_base_and_its_own_name(engine, tools):
    engine()
    own = image.reference()
    assert platforms.build(own, BOTH, Progress()) == [own, f"{own}-arm64"]
    built = [line for line in tools.called() if line.startswith("docker build ")]
    assert len(built) == 2
    assert "--platform" not in built[0]
    assert "--platform linux/arm64 --build-arg ARCH=-aarch64 " in built[1]


def test_an_engine_that_cannot_run_a_platform_says_which_and_what_would(engine):
    engine("echo 'exec /bin/sh: exec format error'; echo 'returned a code: 1' >&2; exit 1")
    with pytest.raises(MissingError, match="runs no programs of arm64") as refused:
        platforms.build(image.reference(), BOTH, Progress())
    assert "exec format error" in refused.value.evidence[1]
    assert "--install arm64" in refused.value.next


def test_a_build_that_fails_otherwise_is_no_matter_of_the_platform(engine):
    engine("echo 'no such host' >&2; exit 1")
    with pytest.raises(KubernetesError, match="exit status 1"):
        platforms.build(image.reference(), ["linux/arm64"], Progress())


def test_an_image_of_another_architecture_than_asked_for_is_never_pushed(engine):
    engine(built="amd64")
    with pytest.raises(KubernetesError, match="for another architecture: amd64"):
        platforms.build(image.reference(), ["linux/arm64"], Progress())


def test_one_platform_needs_no_list(engine, tools):
    engine(more="tag) exit 0;; *) exit 9;;")
    names = platforms.build(image.reference(), ["linux/arm64"], Progress())
    assert platforms.push(names, TO, Progress()) == f"{TO}@{DIGEST}"
    assert tools.called()[-1] == f"docker push {TO}"


BY_BUILDX = f"""
buildx) case "$2 $3" in
  version*) exit 0;; "imagetools inspect") echo {LIST};; "imagetools create") exit 0;;
esac;;"""
BY_MANIFEST = f"""
buildx) exit 1;;
manifest) case "$2" in rm) exit 1;; push) echo {LIST};; *) echo created;; esac;;"""


@pytest.mark.parametrize(
    ("ways", "joined"),
    [
        (BY_BUILDX, f"docker buildx imagetools create --tag {TO} {TO}-amd64 {TO}-arm64"),
        (BY_MANIFEST, f"docker manifest create {TO} {TO}-amd64 {TO}-arm64"),
    ],
)
def test_one_name_stands_for_all_with_and_without_buildx(engine, tools, ways, joined):
    engine(more=ways)
    names = platforms.build(image.reference(), BOTH, Progress())
    assert platforms.push(names, TO, Progress()) == f"{TO}@{LIST}"
    called = tools.called()
    assert joined in called
    assert called.index(joined) > called.index(f"docker push {TO}-arm64")


def test_a_list_that_cannot_be_made_says_why(tools):
    tools(
        docker="case \"$1 $2\" in 'manifest create') echo 'is a manifest list' >&2;; esac; exit 1"
    )
    with pytest.raises(KubernetesError) as refused:
        registry.join(["r.example/a:1-amd64"], "r.example/a:1")
    assert "is a manifest list" in refused.value.evidence
