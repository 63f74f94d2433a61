"""The Helm chart gives the objects that `raykit render` prints, and refuses what it cannot."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from raykit import kit
from raykit.manifests import chart
from raykit.manifests.render import render
from raykit.spec.load import load

ROOT = Path(kit.root())
CHART = ROOT / "charts" / "raykit"
CLUSTERS = ROOT / "deploy" / "clusters"
EXAMPLES = 200 if os.environ.get("RAYKIT_SOAK") else 25
HELM = shutil.which("helm")
IMAGE = "registry.example.com/raykit:2.60.0-py311"
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not on PATH")


def helm(*words, values=None, check=True):
    done = subprocess.run(
        [HELM, *map(str, words), *(["--values", "-"] if values is not None else [])],
        input=None if values is None else json.dumps(values, ensure_ascii=False),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def from_chart(spec):
    """What the chart gives for a spec: its name and namespace are the release's."""
    values = {key: value for key, value in spec.items() if key not in ("name", "namespace")}
    values.setdefault("workers", [])
    # The chart's own default for a head alone must not stand where there are workers.
    values["head"] = {"taskCpus": None, **values["head"]}
    words = ("template", spec["name"], CHART, "--namespace", spec["namespace"])
    printed = helm(*words, values=values).stdout
    made = [each for each in yaml.safe_load_all(printed) if each]
    return [each for each in made if "helm.sh/hook" not in each["metadata"].get("annotations", {})]


def from_raykit(spec):
    return render(load(json.dumps(spec, ensure_ascii=False)), image=IMAGE)


def within_core(spec):
    return set(spec) <= {*chart.CLUSTER_KEYS, *chart.FROM_RELEASE}


@needs_helm
@pytest.mark.parametrize("path", sorted(CLUSTERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shape_within_the_core_is_the_same_from_the_chart(path):
    spec = {"namespace": "ray", "image": IMAGE, **yaml.safe_load(path.read_text("utf-8"))}
    if not within_core(spec):
        beyond = {key: spec[key] for key in spec if key not in chart.CLUSTER_KEYS}
        done = helm("template", "c", CHART, values=beyond, check=False)
        assert "only raykit render has it" in done.stderr
        return
    assert from_chart(spec) == from_raykit(spec)


sizes = st.sampled_from(["1Gi", "2Gi", "1536Mi", "1280Mi", "12345Mi", "64Gi"])
cpus = st.sampled_from([1, 3, "500m", "1500m"])
# Letters, digits, punctuation, symbols and the plain space: what YAML itself lets through.
words = st.text(st.characters(categories=["L", "N", "P", "S"]) | st.just(" "), max_size=8)
labels = st.dictionaries(st.sampled_from(["pool", "example.com/spot"]), st.sampled_from(["a", "b"]))
tolerations = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["spot", "nvidia.com/gpu"])},
        optional={
            "value": st.just("true"),
            "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
        },
    ),
    max_size=2,
)
pods = {
    "cpu": cpus,
    "memory": sizes,
    "sharedMemory": st.just("512Mi"),
    "tmpStorage": st.just("5Gi"),
    "ephemeralStorage": st.just("20Gi"),
    "gpu": st.integers(1, 8),
    "env": st.dictionaries(st.sampled_from(["A", "B_1", "Z"]), words, max_size=2),
    "nodeSelector": labels,
    "tolerations": tolerations,
    "affinity": st.just({"nodeAffinity": {}}),
    "topologySpread": st.sampled_from([[{}], [{"maxSkew": 2, "topologyKey": "zone"}]]),
    "priorityClass": st.just("high"),
    "serviceAccount": st.just("ray"),
}
jobs = st.fixed_dictionaries(
    {"name": st.sampled_from(["fib", "other"])},
    optional={
        "arguments": st.lists(words, max_size=3),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), words, max_size=2),
        "ownCluster": st.booleans(),
        "deadlineSeconds": st.integers(100, 31_536_000),
        "startDeadlineSeconds": st.integers(1, 100),
        "ttlSeconds": st.integers(0, 100_000),
    },
)


@st.composite
def specs(draw):
    """Valid specs within the core."""

    def part(**more):
        required = {"memory": pods["memory"]}
        optional = {key: value for key, value in pods.items() if key != "memory"}
        return draw(st.fixed_dictionaries({**required, **more}, optional=optional))

    scaled = draw(st.booleans())
    count = draw(st.integers(1 if scaled else 0, 2))
    spec = {"name": draw(st.sampled_from(["c", "my-cluster"])), "namespace": "ray", "image": IMAGE}
    spec["head"] = part() if count else part(taskCpus=st.integers(1, 4))
    spec["workers"] = [part(name=st.just(f"group-{index}")) for index in range(count)]
    for group in spec["workers"]:
        group["taskCpus"] = draw(st.integers(1, 3))
        if scaled:
            group["maxReplicas"] = draw(st.integers(1, 100_000))
        else:
            group["replicas"] = draw(st.integers(0, 9))
    if scaled:
        spec["autoscaling"] = draw(
            st.fixed_dictionaries(
                {"enabled": st.just(True)},
                optional={
                    "idleTimeoutSeconds": st.integers(1, 86_400),
                    "upscalingMode": st.just("Aggressive"),
                },
            )
        )
    if draw(st.booleans()):
        spec["auth"] = draw(
            st.sampled_from([{"mode": "disabled"}, {"mode": "token", "secretName": "mine"}])
        )
    if draw(st.booleans()):
        spec["pullSecrets"] = ["registry"]
    if draw(st.booleans()):
        spec["kuberay"] = "1.7.0"
    job = draw(st.none() | jobs)
    if job:
        how = draw(st.sampled_from([{"job": "fib"}, {"entrypoint": ["python", "it's.py"]}]))
        if not job.get("ownCluster"):
            job = {key: value for key, value in job.items() if key != "ttlSeconds"}
        spec["jobs"] = [{**job, **how}]
    return spec


@needs_helm
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # each example runs helm: shrinking would take minutes
    suppress_health_check=list(HealthCheck),
)
@given(specs())
def test_any_spec_within_the_core_is_the_same_from_the_chart(spec):
    assert from_chart(spec) == from_raykit(spec)


@needs_helm
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"wokers": []}, "'wokers' not allowed"),
        ({"name": "c"}, "the release gives it"),
        ({"networkPolicy": {"enabled": True}}, "only raykit render has it"),
        ({"head": {"memory": "2Gi", "volumes": []}}, "only raykit render has it"),
        ({"head": {"memory": "1.5Gi"}}, "does not match pattern"),
        ({"head": {"memory": "2Gi", "taskCpus": 0}}, "head.taskCpus is required"),
        ({"upgrade": "Rolling"}, "/upgrade"),
        ({"workers": [{"name": "w", "memory": "1Gi"}]}, "head takes no tasks"),
        (
            {
                "head": {"taskCpus": None, "memory": "2Gi"},
                "workers": [{"name": "w", "memory": "1Gi", "minReplicas": 3, "maxReplicas": 2}],
            },
            "minReplicas 3 is above maxReplicas 2",
        ),
        ({"jobs": [{"name": "a" * 21, "job": "fib"}]}, "/jobs/0/name"),
    ],
    ids=str,
)
def test_values_that_are_wrong_are_refused_by_helm(values, said):
    done = helm("template", "c", CHART, values=values, check=False)
    assert done.returncode != 0
    assert said in done.stderr, done.stderr


@needs_helm
def test_a_name_that_a_rayjob_cannot_hold_is_refused():
    values = {"jobs": [{"name": "fib", "job": "fib"}]}
    done = helm("template", "c" * 40, CHART, values=values, check=False)
    assert "longer than 47 characters" in done.stderr


@needs_helm
@pytest.mark.parametrize("name", ["1st", "a.b"])
def test_a_release_name_that_no_cluster_may_have_is_refused(name):
    done = helm("template", name, CHART, check=False)
    assert f'"{name}" must start with a letter' in done.stderr


@needs_helm
def test_the_chart_is_clean_to_helm_lint():
    said = helm("lint", "--strict", CHART).stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in said


def test_the_values_of_the_chart_fit_its_schema_of_draft_07():
    schema = chart.values_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert list(jsonschema.Draft7Validator(schema).iter_errors(values)) == []
    assert "$ref" in json.dumps(schema)
    references = [word for word in json.dumps(schema).split('"') if word.startswith("#/")]
    assert {each.rsplit("/", 1)[0] for each in references} == {"#/definitions"}


def test_what_follows_from_the_model_has_not_drifted():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "render_reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), "run make render"
