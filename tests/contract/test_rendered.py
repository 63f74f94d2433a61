"""Whatever `render` accepts: the strict CRDs take it, kubeconform with them, and Pod Security."""

import json
import subprocess

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.errors import SpecError
from raykit.manifests import schema
from raykit.manifests.judging import checking, pod_security
from raykit.manifests.render import render, to_yaml
from raykit.spec.load import load
from tests.contract.crds import ABSENT, CRDS, PLURALS, crd_schema, strict, validator

FULL = yaml.safe_load((kit.root() / "tests" / "unit" / "spec" / "full.yaml").read_text("utf-8"))
SPECS = 12
GENERATE = settings(
    max_examples=SPECS,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # jsonschema takes a second for each big schema
    suppress_health_check=list(HealthCheck),
)
KUBERNETES_OWN = "PodDisruptionBudget,NetworkPolicy,PodMonitor"

pytestmark = pytest.mark.skipif(not CRDS.is_dir(), reason=ABSENT)


def thinned(draw, node):
    """A part of a spec with some of its keys and items left out."""
    if isinstance(node, list):
        return [thinned(draw, item) for item in node if draw(st.integers(0, 4))]
    if not isinstance(node, dict):
        return node
    kept = {"name", "memory", "head", "image", "mountPath", "topologyKey", "cidr", "driver"}
    return {
        key: thinned(draw, value)
        for key, value in node.items()
        if key in kept or draw(st.integers(0, 3))
    }


@st.composite
def accepted(draw):
    """A spec that raykit accepts, made of the one with every key."""
    data = thinned(draw, FULL)
    data["kuberay"] = draw(st.sampled_from(schema.versions()))
    if draw(st.booleans()):
        data["workers"] = [*data.get("workers", []), {"name": "more", "memory": "2Gi"}]
        data["workers"][-1] |= {"maxReplicas": 2} if "autoscaling" in data else {"replicas": 2}
    elif not data.get("workers"):
        data["head"]["taskCpus"] = 1
    try:
        spec = load(yaml.safe_dump(data))
    except SpecError:
        assume(False)
    assume(not checking.judge(spec, spec.kuberay).problems)
    return spec


@pytest.fixture(scope="module")
def validators():
    return {
        (version, kind): validator(version, PLURALS[kind])
        for version in schema.versions()
        for kind in ("RayCluster", "RayJob")
    }


@GENERATE
@given(spec=accepted())
def test_the_strict_crds_take_whatever_is_rendered(validators, spec):
    for made in render(spec, image="raykit:x"):
        if schema.is_rays(made):
            strictly = validators[spec.kuberay, made["kind"]]
            assert [error.message for error in strictly.iter_errors(made)] == []


@pytest.fixture(scope="module", params=schema.versions())
def schemas(request, tmp_path_factory):
    """A KubeRay version, and a folder with its strict schemas as kubeconform looks for them."""
    folder = tmp_path_factory.mktemp("schemas")
    for kind, plural in PLURALS.items():
        made = json.dumps(strict(crd_schema(request.param, plural)))
        (folder / f"{kind.lower()}-v1.json").write_text(made)
    return request.param, folder


def conforms(program, schemas, folder):
    """What kubeconform has against the files of a folder, and the number of valid objects."""
    place = f"{schemas}/{{{{.ResourceKind}}}}-{{{{.ResourceAPIVersion}}}}.json"
    words = [program, "-strict", "-output", "json", "-summary", "-schema-location", place]
    done = subprocess.run(
        [*words, "-skip", KUBERNETES_OWN, str(folder)], capture_output=True, text=True
    )
    said = json.loads(done.stdout)
    return said["resources"], said["summary"]["valid"]


def test_kubeconform_takes_whatever_is_rendered(kubeconform, schemas, tmp_path):
    version, folder = schemas
    written = []

    @settings(GENERATE, max_examples=2 * SPECS)
    @given(spec=accepted())
    def write(spec):
        spec = spec.model_copy(update={"kuberay": version})
        path = tmp_path / f"{len(written)}.yaml"
        path.write_text(to_yaml(render(spec, image="raykit:x")))
        written.append(path)

    write()
    refused, valid = conforms(kubeconform, folder, tmp_path)
    assert refused == []
    assert valid >= len(written) > SPECS


def test_kubeconform_refuses_what_is_wrong(kubeconform, schemas, tmp_path):
    _, folder = schemas
    (made,) = render(load("name: c\nhead: {taskCpus: 1, memory: 2Gi}\n"), image="raykit:x")
    made["spec"]["headGroupSpec"]["oops"] = 1
    (tmp_path / "wrong.yaml").write_text(to_yaml([made]))
    refused, valid = conforms(kubeconform, folder, tmp_path)
    assert (len(refused), valid) == (1, 0)
    assert "oops" in json.dumps(refused)


@GENERATE
@given(spec=accepted())
def test_restricted_admits_every_pod_of_whatever_is_rendered(spec):
    for made in render(spec, image="raykit:x"):
        assert pod_security.problems(made, pod_security.RESTRICTED) == ()
