"""`raykit image push` to a real registry on loopback: what the spec then names is there."""

import httpx2
import pytest

from tests import registry

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]


def test_the_spec_names_the_very_image_that_the_registry_holds(lab, spec, tmp_path):
    path = spec("pushed")
    with registry.running(tmp_path) as there:
        pushed = lab.json("image", "push", f"{there.address}/raykit", "-f", path)
        name, _, digest = pushed["image"].partition("@")
        assert name == f"{there.address}/{pushed['source']}"
        assert f"\nimage: {pushed['image']}\n" in path.read_text()
        lab.raykit("validate", path)
        url = f"http://{there.address}/v2/raykit/manifests/{digest}"
        accepted = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        answer = httpx2.get(url, headers=accepted, trust_env=False)
        assert answer.headers["Docker-Content-Digest"] == digest
        again = lab.raykit("image", "push", f"{there.address}/raykit").stdout
        assert again == f"image: {pushed['image']}\n", "the same image has the same digest"
    refused = lab.raykit("image", "push", f"{there.address}/raykit", code=5).stderr
    assert "cannot be pushed" in refused
