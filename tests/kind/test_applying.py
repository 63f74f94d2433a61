"""kubectl, Kustomize and Helm each bring up the same cluster, change it and remove it.

The three work side by side, each in a namespace of its own. The tests go through the life of a
cluster in the order in which they stand here; tests/kind/test_gitops.py has Argo CD and Flux.
"""

import json
import shutil
import subprocess
from contextlib import ExitStack
from functools import partial

import pytest

from tests import registry
from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

CHART = life.ROOT / "charts" / "raykit"
SPEC = {
    "name": "same",
    "head": {"taskCpus": 1, "cpu": "100m", "memory": "1536Mi", "env": life.DRAINS_BRIEFLY},
    "jobs": [{"name": "echo", "entrypoint": ["echo", "once"]}],
}
EDITED = {**SPEC, "head": {**SPEC["head"], "env": {**life.DRAINS_BRIEFLY, "EDITED": "1"}}}


class Tool:
    """One way to apply a spec. again: how often the unchanged spec is applied."""

    again = 2

    def __init__(self, lab, folder, namespace, image):
        self.lab, self.folder, self.namespace, self.image = lab, folder, namespace, image
        folder.mkdir()

    @property
    def target(self):
        return f"{self.namespace}/same"

    def remove(self):
        """By label: an edit has made RayJobs of new names, and kubectl prunes no old ones."""
        words = ("rayjobs,rayclusters", "-l", "raykit.io/cluster=same", "-n", self.namespace)
        self.lab.kubectl("delete", *words)

    def written(self, spec):
        path = self.folder / "spec.yaml"
        path.write_text(json.dumps({**spec, "image": self.image}), "utf-8")
        return path


class Kubectl(Tool):
    """`raykit render | kubectl apply`."""

    again = 4

    def apply(self, spec):
        words = ("render", "-f", self.written(spec), "--namespace", self.namespace)
        self.lab.kubectl("apply", "-f", "-", stdin=self.lab.raykit(*words).stdout)


class Kustomize(Tool):
    """`raykit render --output-dir`, then `kubectl apply -k`."""

    def apply(self, spec):
        files = self.folder / "deployed"
        words = ("-f", self.written(spec), "--namespace", self.namespace)
        self.lab.raykit("render", *words, "--output-dir", files)
        self.lab.kubectl("apply", "-k", str(files))


class Helm(Tool):
    """`helm upgrade --install` of the chart from an OCI registry."""

    chart = CHART

    def apply(self, spec):
        values = {key: value for key, value in spec.items() if key != "name"} | {
            "image": self.image
        }
        path = self.folder / "values.yaml"
        path.write_text(json.dumps(values), "utf-8")
        self.helm("upgrade", "--install", "same", self.chart, "--plain-http", "-f", path)

    def remove(self):
        self.helm("uninstall", "same", "--wait")

    def helm(self, *words):
        command = ["helm", "--kube-context", self.lab.context, "-n", self.namespace]
        done = subprocess.run(
            [*command, *map(str, words)], env=self.lab.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def tools(lab, tmp_path_factory):
    """The tools that are here; each has applied the spec."""
    folder = tmp_path_factory.mktemp("applying")
    image = lab.json("image", "build")["image"]
    with ExitStack() as stack:
        kinds = [Kubectl, Kustomize]
        if registry.required() or not registry.lacking():
            Helm.chart = stack.enter_context(registry.with_chart(CHART, folder))
            kinds.append(Helm)
        made = []
        for kind in kinds:
            words = kind.__name__.lower()
            namespace = stack.enter_context(life.restricted_namespace(lab, words))
            made.append(kind(lab, folder / words, namespace, image))
        for tool in made:
            tool.apply(SPEC)
        yield made


def test_each_tool_brings_up_the_same_cluster(lab, tools, soon):
    specs = []
    for tool in tools:
        soon(partial(life.replaced, lab, tool.namespace, "same", ()), 300)
        (cluster,) = lab.objects("rayclusters", "-n", tool.namespace)
        (expected,) = life.rendered(lab, tool.written(SPEC), tool.namespace, "RayCluster")
        assert cluster["spec"] == expected["spec"]
        specs.append(cluster["spec"])
        soon(lambda tool=tool: life.jobs_ended(lab, tool.namespace) == ["SUCCEEDED"], 300)
    assert specs == specs[:1] * len(tools)


def test_helm_installed_the_chart_from_a_registry(lab, tools):
    if Helm not in map(type, tools):
        pytest.skip(registry.lacking())
    helm = next(tool for tool in tools if type(tool) is Helm)
    assert helm.chart.startswith("oci://127.0.0.1:")
    (release,) = json.loads(helm.helm("list", "-o", "json"))
    assert (release["name"], release["status"]) == ("same", "deployed")


def test_an_unchanged_spec_applied_again_changes_no_object(lab, tools, soon):
    namespaces = [tool.namespace for tool in tools]
    before = soon(lambda: life.applied_at_rest(lab, namespaces), 300)
    assert [len(each) for each in before] == [2] * len(tools)
    for tool in tools:
        for _ in range(tool.again):
            tool.apply(SPEC)
    assert [life.applied(lab, namespace) for namespace in namespaces] == before


def test_an_upgrade_replaces_the_pods_and_ends_the_jobs_that_run_on_them(lab, tools, soon):
    heads = [life.heads(lab, tool.namespace, "same") for tool in tools]
    sleepers = [life.sleeper(lab, tool.target) for tool in tools]
    for tool in tools:
        tool.apply(EDITED)
    for tool, before, sleeping in zip(tools, heads, sleepers, strict=True):
        new = partial(life.replaced, lab, tool.namespace, "same", before)
        soon(new, 300)
        life.ended_with_its_cluster(sleeping)


def test_removal_leaves_nothing(lab, tools, soon):
    for tool in tools:
        tool.remove()
    for tool in tools:
        soon(lambda tool=tool: life.left(lab, tool.namespace) == [], 300)


def test_the_lines_of_the_gitops_page_do_what_it_says(lab, tmp_path, soon):
    for folder in ("deploy", "charts"):
        shutil.copytree(life.ROOT / folder, tmp_path / folder)
    lab.kubectl("config", "use-context", lab.context)
    try:
        for line in life.page_block("kubectl, Kustomize and Helm"):
            printed = life.run_line(lab, line, tmp_path)
            if line.startswith("raykit submit"):
                assert "Speedup" in printed
        soon(lambda: life.left(lab, "ray") == [], 300)
    finally:
        lab.kubectl("delete", "namespace", "ray", "--ignore-not-found", "--wait=false")
