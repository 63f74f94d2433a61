"""Pods that cannot start or run, beside those of test_up.py: rows of docs/faults.md."""

import subprocess

import pytest

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

SECTION = "Pods and scheduling"
EATS = """
import ray
ray.init()

@ray.remote(max_retries=0)
def eat():
    held = []
    while True:
        held.append(bytearray(b"x" * (8 << 20)))

ray.get(eat.remote())
"""


def test_an_image_for_another_processor_is_recognised(lab, refused_up, spec, tmp_path):
    """bash in it is no program of any processor: the kernel refuses it as it refuses another's."""
    (tmp_path / "bash").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    (tmp_path / "bash").chmod(0o755)
    lines = ["FROM rayproject/ray:2.60.0-py311", "USER root", "COPY bash /bin/bash", "USER 1000"]
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    image = "raykit-test/other-processor:1"
    build = ["docker", "build", "-t", image, str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, timeout=500, env=lab.env)
    load = ["kind", "load", "docker-image", image, "--name", lab.name]
    subprocess.run(load, check=True, capture_output=True, timeout=500, env=lab.env)
    said = refused_up("the image is for another processor", spec("other", f"image: {image}"))
    assert "exec format error" in said


def test_pods_that_pod_security_refuses_are_quoted(refused_up, spec):
    container = "{name: ray-head, securityContext: {allowPrivilegeEscalation: true}}"
    path = spec("loose", patch=f"{{spec: {{containers: [{container}]}}}}")
    said = refused_up("Pod Security refuses the pods", path)
    assert "violate the namespace's Pod Security level" in said
    assert "allowPrivilegeEscalation != false" in said


def test_rays_own_memory_monitor_is_told_from_the_kernels(lab, namespace, faults, spec):
    lab.raykit("up", "-f", spec("eaten"), "-n", namespace)
    on = ("--on", f"{namespace}/eaten")
    words = ("submit", *on, "--entrypoint", "--", "python", "-c", EATS)
    said = faults(SECTION, "Ray kills a task for lack of memory", *words, code=20).unbroken
    assert "memory" in said
