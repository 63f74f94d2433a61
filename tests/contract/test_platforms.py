"""`raykit image push --platform`, with a real docker engine and a real registry."""

import os
import shutil
import struct
import subprocess

import httpx2
import pytest

from raykit.containers import image
from tests import registry

pytestmark = pytest.mark.timeout(1200)
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ARM_BASE = "rayproject/ray:2.60.0-py311-aarch64"


def docker(*words):
    done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def raykit(cli):
    """`raykit(*words, code=0)`: what a command that ends with `code` leaves; needs docker."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"]).returncode:
        assert os.environ.get("RAYKIT_REQUIRE_KIND") != "1", "docker must answer here"
        pytest.skip("the docker engine does not answer")

    def run(*words, code=0):
        done = cli(*words, timeout=900)
        assert done.code == code, done.out + done.err
        return done

    return run


@pytest.fixture
def arm(tmp_path):
    """`arm(name)`: an image of arm64 in the engine until the test ends; its shell does nothing."""
    names = []

    def make(name):
        if (
            subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode
            == 0
        ):
            pytest.skip(f"the docker engine has {name}, which the test would replace")
        folder = tmp_path / "arm"
        folder.mkdir(exist_ok=True)
        # The header of a program for aarch64 (machine 183), as the kernel reads it.
        kind = b"\x7fELF\x02\x01\x01" + bytes(9)
        program = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        (folder / "sh").write_bytes(kind + program + bytes(56))
        (folder / "sh").chmod(0o755)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY sh /bin/sh\n")
        docker("build", "--platform", "linux/arm64", "--tag", name, folder)
        names.append(name)
        return name

    yield make
    for name in names:
        subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True)


def test_one_name_in_the_registry_stands_for_two_architectures(raykit, tmp_path, arm):
    arm(f"{image.reference()}-arm64")
    path = tmp_path / "several.yaml"
    path.write_text("name: several  # of them\nhead: {taskCpus: 1, memory: 2Gi}\n")
    both = ("--platform", "linux/amd64,linux/arm64")
    with registry.running(tmp_path) as there:
        words = ("image", "push", f"{there.address}/raykit", *both, "-o", "json")
        pushed = raykit(*words, "-f", path).envelope["data"]
        digest = pushed["image"].partition("@")[2]
        url = f"http://{there.address}/v2/raykit/manifests/{digest}"
        answer = httpx2.get(url, headers={"Accept": LIST}, trust_env=False)
        assert answer.headers["Docker-Content-Digest"] == digest
        found = [entry["platform"]["architecture"] for entry in answer.json()["manifests"]]
        assert found == ["amd64", "arm64"]
        assert f"image: {pushed['image']}\n" in path.read_text()
        assert raykit(*words).envelope["data"]["image"] == pushed["image"]


def test_a_platform_that_docker_cannot_run_is_named_and_nothing_is_pushed(raykit, tmp_path, arm):
    arm(ARM_BASE)
    with registry.running(tmp_path) as there:
        words = ("--platform", "linux/amd64", "--platform", "linux/arm64")
        refused = raykit("image", "push", f"{there.address}/raykit", *words, code=4).err
        assert "runs no programs of arm64" in refused
        assert "exec format error" in refused
        assert "binfmt --install arm64" in refused
        catalog = httpx2.get(f"http://{there.address}/v2/_catalog", trust_env=False)
        assert catalog.json() == {"repositories": []}
