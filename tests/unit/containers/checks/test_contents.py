"""What an image holds: the script in a real shell, what it prints, and the judgement."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit import checks
from raykit.containers.checks import contents
from raykit.containers.checks.contents import Contents
from raykit.errors import MissingError

WHOLE = Contents(frozenset(contents.TOOLS), True, "3.11.9", "2.60.0")
INFO = json.dumps({"ServerVersion": "28", "NCPU": 2, "MemTotal": 2**34, "Architecture": "x86_64"})


def ran(tools, **stubs):
    folder = tools(**stubs)
    words = [str(folder / "sh"), "-c", contents.SCRIPT]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_script_finds_the_tools_and_the_versions_of_a_real_python(tools):
    output = ran(tools, python=f'exec {sys.executable} "$@"', wget="", bash="")
    assert contents.is_whole(output)
    found = contents.parsed(output)
    assert found.tools == set(contents.TOOLS)
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.ray == "2.60.0"


def test_the_script_ends_well_in_an_image_without_anything(tools):
    output = ran(tools)
    assert contents.is_whole(output)
    assert contents.parsed(output) == Contents()


@pytest.mark.parametrize(
    ("inside", "failed"),
    [
        (WHOLE, []),
        (Contents(WHOLE.tools - {"python"}, True, None, None), ["image-python", "image-ray"]),
        (Contents(WHOLE.tools - {"wget"}, True, "3.11.9", "2.60.0"), ["image-wget"]),
        (Contents(WHOLE.tools - {"bash"}, True, "3.11.9", "2.60.0"), ["image-bash"]),
        (Contents(WHOLE.tools, True, "3.11.9", "2.9.0"), ["image-ray"]),
        (Contents(WHOLE.tools, False, "3.11.9", "2.60.0"), []),
    ],
)
def test_what_is_missing_fails(inside, failed):
    results = contents.judge("me/ray:1", inside, "2.60.0")
    assert [result.name for result in results if result.state == "fail"] == failed
    assert all(result.next for result in results if result.state == "fail")
    error = checks.failure(results)
    assert (error.exit_code if error else 0) == (4 if failed else 0)


@pytest.mark.parametrize(
    ("python", "state"), [("3.11.0", "ok"), ("3.9.18", "warn"), ("4.0", "ok"), ("pypy", "skipped")]
)
def test_an_old_python_is_a_warning(python, state):
    results = contents.judge("i", Contents(WHOLE.tools, True, python, "2.60.0"), "2.60.0")
    (result,) = [one for one in results if one.name == "image-python-version"]
    assert result.state == state


@pytest.mark.parametrize(
    ("user", "state"),
    [("1000:100", "ok"), ("1000", "ok"), ("ray", "warn"), ("", "warn"), ("0", "warn")],
)
def test_a_user_that_is_no_number_is_a_warning(user, state):
    assert contents.user("i", user).state == state


def test_docker_runs_the_script_without_network_and_as_rendered_pods_run(tools):
    image = json.dumps([{"Config": {"User": "1000:100"}}])
    tools(
        docker=f"""case "$1" in
info) echo '{INFO}';;
image) echo '{image}';;
run) printf 'hello\\ntool bash\\nend\\n';;
esac"""
    )
    inside, user = contents.by_docker("me/ray:1")
    assert (inside.tools, user) == ({"bash"}, "1000:100")
    (call,) = [line for line in tools.called() if line.startswith("docker run")]
    for words in ("--network none", "--user 1000", "--read-only", "--pull never", "--rm"):
        assert words in call


@pytest.mark.parametrize(
    ("image", "next"), [("raykit:1", "raykit image build"), ("me/ray:1", "docker pull me/ray:1")]
)
def test_an_image_that_the_engine_does_not_have_is_refused(tools, image, next):
    tools(docker=f"""case "$1" in info) echo '{INFO}';; image) echo '[]'; exit 1;; esac""")
    with pytest.raises(MissingError) as refused:
        contents.by_docker(image)
    assert refused.value.next == next


@pytest.mark.parametrize(
    ("said", "why"),
    [("exec: sh: not found", "it has no sh"), ("exec format error", "another processor")],
)
def test_an_image_in_which_no_shell_runs_is_refused_with_the_reason(tools, said, why):
    tools(
        docker=f"""case "$1" in
info) echo '{INFO}';;
image) echo '[{{"Config": null}}]';;
run) echo '{said}' >&2; exit 127;;
esac"""
    )
    with pytest.raises(MissingError, match=why) as refused:
        contents.by_docker("me/ray:1")
    assert refused.value.evidence == ("$ docker run --rm --entrypoint sh me/ray:1", said)


@given(st.text(max_size=200))
def test_nothing_that_an_image_prints_breaks_the_reading(text):
    contents.judge("i", contents.parsed(text), "2.60.0")
    contents.is_whole(text)
