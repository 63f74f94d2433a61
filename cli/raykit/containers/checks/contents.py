"""What an image must hold to run Ray pods under KubeRay: read by a short shell script in it.

Pure but for `by_docker`: the same script may run in a pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from raykit import checks, kit
from raykit.checks import Check
from raykit.containers import docker, image
from raykit.errors import MissingError

SHELL = "sh"
TOOLS = {
    "python": "KubeRay's probes, its job submitter and raykit's jobs call it",
    "bash": "KubeRay starts Ray with it",
    "wget": "KubeRay's own probes call it",
}
OLDEST_PYTHON = (3, 11)
"""For raykit's own jobs."""
READ_PYTHON = (
    "import sys; from importlib import metadata as m; "
    "print('version-of-python', '.'.join(map(str, sys.version_info[:3]))); "
    "print('version-of-ray', m.version('ray'))"
)
SCRIPT = f"""for tool in {" ".join(TOOLS)}; do
  command -v $tool > /dev/null 2>&1 && echo tool $tool
done
test -f {kit.IN_IMAGE}/jobs/__main__.py && echo kit
python -c "{READ_PYTHON}" 2> /dev/null
echo end"""
RUN_SECONDS = 60.0
MOST_LINES = 5
AS_RENDERED = ("--user", "1000", "--read-only", "--cap-drop", "ALL", "--network", "none")
"""How raykit's pods run: no root, nothing to write to but /tmp."""


@dataclass(frozen=True)
class Contents:
    """What an image holds. python, ray: versions; None if they cannot be read."""

    tools: frozenset[str] = frozenset()
    has_kit: bool = False
    python: str | None = None
    ray: str | None = None


def by_docker(name: str) -> tuple[Contents, str]:
    """Run the script in an image by docker; what it holds, and the user that the image names.

    Errors: MissingError (4) if the engine or the image is absent, or if no shell runs in it.
    """
    docker.engine()
    found = docker.inspect("image", name)
    if not found:
        next = "raykit image build" if image.is_own(name) else f"docker pull {name}"
        raise MissingError(f"the docker engine has no image {name}", next=next)
    words = ("run", "--rm", "--pull", "never", *AS_RENDERED, "--tmpfs", "/tmp", "--entrypoint")
    done = docker.docker(
        *words, SHELL, name, "-c", SCRIPT, check=False, timeout=RUN_SECONDS, error=MissingError
    )
    if done.returncode or not is_whole(done.stdout):
        said = done.stderr.splitlines() or done.stdout.splitlines()
        raise no_shell(name, [f"$ docker run --rm --entrypoint {SHELL} {name}", *said[:MOST_LINES]])
    return parsed(done.stdout), str((found[0].get("Config") or {}).get("User") or "")


def no_shell(name: str, evidence: list[str]) -> MissingError:
    """The error for an image in which the script does not run to its end."""
    other = any("exec format error" in line for line in evidence)
    reason = "it is built for another processor architecture" if other else f"it has no {SHELL}"
    next = "docker image inspect shows its Architecture" if other else "build FROM rayproject/ray"
    return MissingError(f"nothing runs in the image {name}: {reason}", evidence=evidence, next=next)


def is_whole(output: str) -> bool:
    """Whether the script has run to its end."""
    return output.splitlines()[-1:] == ["end"]


def parsed(output: str) -> Contents:
    """What the script has printed, among other lines that an image may print."""
    lines = output.splitlines()

    def value(key: str) -> str | None:
        texts = [line.removeprefix(f"{key} ") for line in lines if line.startswith(f"{key} ")]
        return texts[-1].strip() if texts else None

    return Contents(
        tools=frozenset(tool for tool in TOOLS if f"tool {tool}" in lines),
        has_kit="kit" in lines,
        python=value("version-of-python"),
        ray=value("version-of-ray"),
    )


def judge(name: str, contents: Contents, ray: str) -> list[Check]:
    """What an image lacks for Ray pods. name: its reference. ray: the version of the spec."""
    return [*_tools(name, contents), _ray(name, contents, ray), _python(contents), _kit(contents)]


def user(name: str, user: str) -> Check:
    """Whether the image's user is a number. user: as in its configuration; empty: root."""
    title = "image-user"
    number = user.partition(":")[0]
    if number.isdigit() and int(number):
        return checks.ok(title, f"the image runs as user {number}")
    what = f"the image names the user {user}" if number else "the image names no user: it is root"
    return checks.warning(
        title,
        what,
        ["raykit's pods set 1000; others with runAsNonRoot refuse to start"],
        f"end the Dockerfile of {name} with USER 1000",
    )


def _tools(name: str, contents: Contents) -> Iterator[Check]:
    for tool, use in TOOLS.items():
        title = f"image-{tool}"
        if tool in contents.tools:
            yield checks.ok(title, f"the image has {tool}")
        else:
            next = f"install it in the Dockerfile of {name}, for every user"
            yield checks.missing(title, f"the image has no {tool}", [use], next)


def _ray(name: str, contents: Contents, wanted: str) -> Check:
    title = "image-ray"
    if contents.ray is None:
        evidence = ["python cannot read the version of the package ray as user 1000"]
        return checks.missing(title, "the image has no Ray", evidence, "build FROM rayproject/ray")
    if contents.ray == wanted:
        return checks.ok(title, f"the image has Ray {contents.ray}")
    what = f"the image has Ray {contents.ray}, and the spec says {wanted}"
    return checks.missing(title, what, [name], f"set rayVersion: {contents.ray} in the spec")


def _python(contents: Contents) -> Check:
    title = "image-python-version"
    numbers = re.match(r"(\d+)\.(\d+)", contents.python or "")
    if numbers is None:
        return checks.skipped(title, "the version of Python cannot be read")
    what = f"the image has Python {contents.python}"
    if (int(numbers[1]), int(numbers[2])) >= OLDEST_PYTHON:
        return checks.ok(title, what)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return checks.warning(title, what, [f"raykit's own jobs need {oldest}; yours may not"])


def _kit(contents: Contents) -> Check:
    title = "image-kit"
    where = f"{kit.IN_IMAGE}/jobs"
    if contents.has_kit:
        return checks.ok(title, f"raykit's jobs are in {where}")
    return checks.ok(title, f"{where} is not there: raykit uploads its jobs with each submission")
