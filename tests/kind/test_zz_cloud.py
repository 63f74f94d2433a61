"""A cluster as a cloud's: its context is not kind's, and its image comes from a registry alone.

Its name puts this file last: one machine has no room for a second Kubernetes cluster, so the shared
one is deleted before this one is made.
"""

import json
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from raykit import kit
from raykit.containers import image
from raykit.kube.connection import connect
from raykit.kuberay.helm import release
from raykit.progress import Progress
from tests import registry
from tests.kind.conftest import Lab

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

NAME = "raykit-cloud"
CONTEXT = "arn:aws:eks:eu-central-1:123456789012:cluster/team"
PLACE = ("--context", CONTEXT, "--namespace", "team")


@dataclass
class Cloud(Lab):
    """The cluster, and the address under which images are pushed and pulled."""

    address: str = ""

    @property
    def context(self):
        return CONTEXT


@pytest.fixture(scope="module")
def cloud(kind_env, tmp_path_factory):
    """A kind cluster of this file alone, under another name, whose nodes pull from a registry."""
    folder = tmp_path_factory.mktemp("cloud")
    env = kind_env | {"KUBECONFIG": str(folder / "kubeconfig")}
    Lab("raykit-test", kind_env).raykit("kind", "down")
    with _cluster(env), registry.running(folder) as pushed:
        gateway = _gateway()
        with registry.running(folder, gateway, read_only=True) as pulled:
            _pull_from(pushed.address, pulled.address)
            _run("kubectl", "config", "rename-context", f"kind-{NAME}", CONTEXT, env=env)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KUBECONFIG", env["KUBECONFIG"])
                with connect(CONTEXT) as connection:
                    release.install(connection, Progress())
            yield Cloud(NAME, env, address=pushed.address)


@pytest.fixture
def pushed(cloud, spec):
    """A spec whose image `raykit image push` has put into the registry and into the spec."""
    path = spec("of-cloud")
    cloud.raykit("image", "push", f"{cloud.address}/team/raykit", "-f", path)
    return path


def test_an_image_that_is_in_no_registry_is_refused_before_anything_is_applied(cloud, spec):
    own = spec("own")
    refused = cloud.raykit("up", "-f", own, *PLACE, "--create-namespace", "--yes", code=4).stderr
    assert f"raykit image push REGISTRY/raykit -f {own}" in refused
    never = f"{cloud.address}/team/never-pushed:1"
    cloud.raykit("image", "build")
    _run("docker", "tag", image.reference(), never)
    try:
        mine = spec("mine", f"image: {never}")
        words = ("up", "-f", mine, *PLACE, "--create-namespace", "--yes")
        refused = cloud.raykit(*words, code=4).stderr
    finally:
        _run("docker", "image", "rm", never)
    assert f"the image {never} is in no registry" in refused
    assert f"docker push {never}" in refused
    names = [item["metadata"]["name"] for item in cloud.objects("namespaces")]
    assert "team" not in names


def test_a_pushed_image_comes_up_runs_jobs_and_goes_in_a_context_of_any_name(cloud, pushed):
    words = ("up", "-f", pushed, *PLACE, "--create-namespace")
    asked = cloud.raykit(*words, code=2).stderr
    assert f"in context {CONTEXT}" in asked
    assert "--yes" in asked
    up = cloud.json(*words, "--yes")
    assert up["context"] == CONTEXT
    (head,) = cloud.objects("pods", "-n", "team", "-l", "ray.io/node-type=head")
    assert head["status"]["containerStatuses"][0]["imageID"].endswith(_digest(pushed))
    checks = cloud.json("doctor", "-f", pushed, *PLACE)["checks"]
    (source,) = [row for row in checks if row["name"] == "image-source"]
    assert source["state"] == "ok"
    words = ("submit", "fib", *PLACE, "-o", "json", "--", "--size", "2000", "--repeat", "1")
    run = json.loads(cloud.raykit(*words).stdout)["data"]
    assert run["status"] == "SUCCEEDED"
    assert {phase["name"] for phase in run["phases"]} >= {"submit"}
    assert not any("upload" in phase["name"] for phase in run["phases"]), "its image has the jobs"
    cloud.raykit("down", "of-cloud", *PLACE, "--yes")
    assert cloud.objects("rayclusters", "-n", "team") == []


def test_the_manifests_of_the_page_about_clouds_are_valid_for_a_real_api_server(cloud):
    page = (kit.root() / "docs" / "cloud.md").read_text("utf-8")
    fences = re.findall(r"```yaml\n(.*?)```", page, re.S)
    manifests = "---\n".join(fence for fence in fences if "\nkind: " in fence)
    cloud.kubectl("create", "namespace", "team", check=False)
    words = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
    assert cloud.kubectl(*words, stdin=manifests).count("server dry run") == 4


def _digest(spec):
    (line,) = [line for line in spec.read_text().splitlines() if line.startswith("image:")]
    return line.partition("@")[2]


@contextmanager
def _cluster(env):
    """A kind cluster of one Kubernetes node, gone after the block. A killed run may leave it."""
    _run("kind", "delete", "cluster", "--name", NAME, env=env)
    node = ("--image", env["RAYKIT_KIND_NODE_IMAGE"]) if "RAYKIT_KIND_NODE_IMAGE" in env else ()
    _run("kind", "create", "cluster", "--name", NAME, "--wait", "120s", *node, env=env)
    try:
        yield
    finally:
        _run("kind", "delete", "cluster", "--name", NAME, env=env)


def _gateway():
    """The address of this machine in the network of kind's nodes, as they see it."""
    networks = json.loads(_run("docker", "network", "inspect", "kind"))[0]["IPAM"]["Config"]
    return next(entry["Gateway"] for entry in networks if "." in entry.get("Gateway", ""))


def _pull_from(name, address):
    """Make the node pull images of the registry `name` from an address."""
    folder = f"/etc/containerd/certs.d/{name}"
    settings = f'server = "http://{address}"\n[host."http://{address}"]\n'
    settings += 'capabilities = ["pull", "resolve"]\n'
    words = ("docker", "exec", "-i", f"{NAME}-control-plane", "sh", "-c")
    _run(*words, f"mkdir -p {folder} && cat > {folder}/hosts.toml", stdin=settings)


def _run(*words, env=None, stdin=None):
    done = subprocess.run(
        list(map(str, words)), env=env, input=stdin, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout
