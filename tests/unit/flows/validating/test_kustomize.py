"""Overlays: built where kubectl is, and judged by what comes out."""

import shutil

import pytest

from raykit.flows.validating import kustomize, report
from raykit.flows.validating.validate import validate

BASE = """\
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: c}
spec:
  headGroupSpec: {rayStartParams: {}, template: {spec: {containers: [{name: ray-head, image: a}]}}}
  workerGroupSpecs:
  - groupName: w
    replicas: 1
    minReplicas: 0
    maxReplicas: 2
    rayStartParams: {}
    template: {spec: {containers: [{name: ray-worker, image: a}]}}
"""
SIZES = "- {op: replace, path: /spec/workerGroupSpecs/0/minReplicas, value: 5}\n"
OVERLAY = """\
resources: [../base]
patches: [{path: sizes.yaml, target: {kind: RayCluster}}]
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {pod-security.kubernetes.io/enforce: baseline}}
"""

with_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


@pytest.fixture
def tree(tmp_path):
    """Write files below a folder; returns the folder."""

    def write(**files):
        for name, text in files.items():
            folder, _, file = name.rpartition("__")
            path = tmp_path / folder / f"{file}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def overlay(tree, sizes=SIZES, text=OVERLAY, **more):
    return tree(
        base__kustomization="resources: [c.yaml]\n",
        base__c=BASE,
        prod__kustomization=text,
        prod__sizes=sizes,
        **more,
    )


def said(folder, **options):
    made = validate([folder], **options)
    return [
        f"{judged.file.removeprefix(f'{folder}/')}:{report.place(problem)}"
        for judged in made.files
        for problem in judged.problems
    ]


@with_kubectl
def test_an_overlay_that_breaks_a_rule_of_kuberay_is_found(tree):
    assert said(overlay(tree)) == [
        "prod/kustomization.yaml:1:1: spec.workerGroupSpecs[0].minReplicas: "
        "5 is above maxReplicas 2 (RayCluster c, as built)"
    ]
    assert said(overlay(tree, SIZES.replace("5", "1"))) == []


@with_kubectl
def test_what_a_file_has_by_itself_is_said_once_with_its_line(tree):
    folder = overlay(tree, SIZES.replace("5", "1"))
    (folder / "base" / "c.yaml").write_text(BASE + "  oops: 1\n")
    (line,) = said(folder)
    assert line.startswith("base/c.yaml:13:3: spec.oops: unknown field")


@with_kubectl
def test_the_namespace_of_an_overlay_states_the_level_of_its_pods(tree):
    text = OVERLAY + "namespace: team\n"
    host = "- {op: add, path: /spec/headGroupSpec/template/spec/hostPID, value: true}\n"
    folder = overlay(tree, host, text.replace("[../base]", "[../base, n.yaml]"), prod__n=NAMESPACE)
    (line,) = said(folder)
    assert "hostPID: must not be true (Pod Security baseline) (RayCluster c, as built)" in line


@with_kubectl
def test_an_overlay_that_does_not_build_is_a_problem(tree):
    (line,) = said(overlay(tree, "- {op: replace, path: /spec/none/there, value: 1}\n"))
    assert line.startswith("prod/kustomization.yaml:1:1: does not build: ")


def test_a_patch_is_no_manifest_by_itself(tree):
    merge = "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: c}\nspec: {suspend: true}\n"
    assert said(overlay(tree, merge)) == []


def test_without_kubectl_overlays_are_left_out_and_counted(tree, monkeypatch):
    monkeypatch.setattr(kustomize.shutil, "which", lambda _: None)
    folder = overlay(tree)
    assert said(folder) == []
    assert validate([folder]).unbuilt == 1


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['https://example.com/a.yaml']\npatches: [{path: a}]\n",
        "resources: ['github.com/a/b?ref=c']\nimages: [{name: a}]\n",
        "resources: ['git@example.com:a/b']\ncomponents: [../base]\n",
        "resources: [../remote]\nimages: [{name: a}]\n",
        "helmCharts: [{name: a}]\nimages: [{name: a}]\n",
        "kind: Component\npatches: [{path: a}]\n",
        "patches: [{path: 'https://example.com/a.yaml'}]\n",
        "images: [{name: a}]\nconfigurations: ['HTTP://example.com/a']\n",
        "images: [{name: a}]\nconfigMapGenerator: [{name: a, files: ['k=http://example.com/a']}]\n",
        "images: [{name: a}]\nopenapi: {path: 'http://example.com/a'}\n",
        "images: [{name: a}]\ntransformers: [some.yaml]\n",
        "images: &x [{name: a, again: *x}]\n",
        "a: !!bool zz\nimages: [{name: a}]\n",
        "resources: [../base]\n",
        "patches: [\n",
        "[]\n",
    ],
)
def test_nothing_is_fetched_and_nothing_is_built_in_vain(tree, text):
    remote = "resources: ['https://example.com/a.yaml']\n"
    folder = overlay(tree, text=text, remote__kustomization=remote)
    file = folder / "prod" / "kustomization.yaml"
    assert kustomize.changing([file]) == []


def test_kustomizations_that_hold_each_other_are_no_reason_to_run_for_ever(tree):
    folder = overlay(tree, text=OVERLAY)
    (folder / "base" / "kustomization.yaml").write_text("resources: [../prod]\n")
    assert kustomize.changing([folder / "prod" / "kustomization.yaml"])


@with_kubectl
def test_a_folder_named_like_an_option_is_a_folder(tree, monkeypatch):
    folder = overlay(tree, text="resources: [../base]\nimages: [{name: a, newTag: b}]\n")
    strange = folder / "-oMakefile"
    (folder / "prod").rename(strange)
    monkeypatch.chdir(folder)
    built = kustomize.build((strange / "kustomization.yaml").relative_to(folder))
    assert (built.error, b"kind" in built.output) == ("", True)
    assert not (folder / "Makefile").exists()


def test_links_that_lead_to_each_other_are_judged_and_no_crash(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    text = "resources: [a]\npatches: [{path: a}]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    assert kustomize.patches([tmp_path / "kustomization.yaml"]) == {tmp_path / "a"}
    validate([tmp_path])
