"""The steps of a release that need docker: image and chart in a real registry on loopback."""

import os
import subprocess
import sys

import httpx2
import pytest

from tests import registry
from tests.programs import write_program
from tests.release_workflow import Release

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]


def test_image_and_chart_of_a_release_are_in_the_registry(lab, tmp_path):
    with registry.running(tmp_path) as there:
        release = Release(tmp_path, PATH=lab.env["PATH"], HOME=str(tmp_path))
        release.job["env"] |= {"REGISTRY": f"{there.address}/Someone", "PLAIN_HTTP": "--plain-http"}
        # The runner has raykit from the wheel; here it is the one under test.
        clean = release.world / "clean" / "bin"
        clean.mkdir(parents=True)
        this_raykit = f'#!/bin/sh\nexec {sys.executable} -m raykit "$@"\n'
        write_program(clean / "raykit", this_raykit)
        release.variables |= {k: v for k, v in os.environ.items() if k.startswith("DOCKER_")}
        for step in ("check", "chart", "image", "push-chart"):
            code, said = release.run(step)
            assert code == 0, said
        name, digest = (release.values[f"steps.image.outputs.{key}"] for key in ("name", "digest"))
        assert name == f"{there.address}/someone/raykit"
        kind = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        url = f"http://{there.address}/v2/someone/raykit/manifests/{digest}"
        assert httpx2.get(url, headers=kind, trust_env=False).status_code == 200
        words = ["helm", "show", "chart", f"oci://{there.address}/someone/charts/raykit"]
        shown = subprocess.run([*words, "--plain-http"], capture_output=True, text=True)
        assert "\nname: raykit\n" in shown.stdout
