"""`raykit render` and `raykit validate`, as one types them."""

import io
import json
import shlex
from pathlib import Path

import pytest
import yaml

from raykit import kit
from raykit.app.main import main

CLUSTERS = Path(kit.root()) / "deploy" / "clusters"
SINGLE = str(CLUSTERS / "single-node.yaml")
BROKEN = "name: C\nhead:\n  taskCpus: 2\n  memry: 4Gi\n  memory: 4GB\n"
ENVELOPE = {"schema", "command", "data", "error"}


@pytest.fixture
def raykit(capsys):
    """Run a command; its exit code, stdout and stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as exited:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return exited.value.code, captured.out, captured.err

    return run


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    return path


def test_render_prints_manifests_for_kubectl(raykit):
    code, out, err = raykit(
        "render", "-f", SINGLE, "--name", "other", "--image", "a/b:c", "-n", "ns"
    )
    assert (code, err) == (0, "")
    (made,) = yaml.safe_load_all(out)
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("other", "ns")
    assert made["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] == "a/b:c"


def test_render_without_an_image_takes_raykits_own(raykit, monkeypatch):
    monkeypatch.setattr("raykit.containers.image.reference", lambda: "raykit:2.60.0-py311-feed")
    code, out, _ = raykit("render", "-f", SINGLE)
    assert (code, "image: raykit:2.60.0-py311-feed\n" in out) == (0, True)


def test_render_as_json_holds_the_same_objects(raykit):
    _, text, _ = raykit("render", "-f", SINGLE, "--image", "a/b:c")
    code, out, _ = raykit("render", "-f", SINGLE, "--image", "a/b:c", "-o", "json")
    envelope = json.loads(out)
    assert (code, set(envelope), envelope["command"]) == (0, ENVELOPE, "render")
    assert envelope["data"] == list(yaml.safe_load_all(text))


def test_render_refuses_a_spec_with_problems_and_prints_nothing(raykit, broken):
    code, out, err = raykit("render", "-f", broken, "--image", "a/b:c")
    assert (code, out) == (3, "")
    assert "3 problems" in err


def test_validate_says_that_a_spec_is_valid(raykit):
    assert raykit("validate", "-f", SINGLE) == (0, f"{SINGLE}: valid for KubeRay 1.6.2\n", "")


def test_validate_shows_doubts_beside_the_verdict(raykit, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("name: c\nhead:\n  taskCpus: 1\n  memory: 1Gi\n")
    code, out, _ = raykit("validate", "-f", path, "--kuberay", "1.7.0")
    assert code == 0
    assert out == (
        f"{path}: valid for KubeRay 1.7.0\n"
        "  warning: line 4:11 head.memory: 1Gi is small: an idle head takes 600 MB; give it 2Gi\n"
    )


def test_validate_lists_every_problem_with_its_line(raykit, broken):
    code, out, err = raykit("validate", "-f", broken)
    assert (code, out) == (3, "")
    assert err == (
        f"error: {broken}: 3 problems\n"
        f'  {broken}:1:7: name: "C" must start with a letter and hold lower-case letters, '
        'digits and inner dashes only; for example "c"\n'
        f'  {broken}:4:3: head.memry: unknown key; did you mean "memory"?\n'
        f'  {broken}:5:11: head.memory: "4GB" is not a Kubernetes quantity; did you mean "4Gi"?\n'
        f"next: raykit validate -f {broken}\n"
    )


def test_validate_as_json_is_one_envelope_either_way(raykit, broken):
    code, out, _ = raykit("validate", "-f", SINGLE, "-o", "json")
    envelope = json.loads(out)
    assert (code, set(envelope), envelope["error"]) == (0, ENVELOPE, None)
    (judged,) = envelope["data"]["files"]
    assert (judged["kind"], judged["taskCpus"], judged["problems"]) == ("spec", 2, [])
    code, out, _ = raykit("validate", "-f", broken, "-o", "json")
    envelope = json.loads(out)
    assert (code, set(envelope), envelope["error"]["exit_code"]) == (3, ENVELOPE, 3)
    assert len(envelope["error"]["evidence"]) == 3


def test_validate_knows_the_kuberay_versions_that_it_can_judge(raykit):
    code, _, err = raykit("validate", "-f", SINGLE, "--kuberay", "1.5.0")
    assert code == 2
    assert "--kuberay 1.6.2 or 1.7.0" in err


def test_a_spec_that_is_absent_is_wrong_usage(raykit):
    assert raykit("validate", "-f", "absent.yaml")[0] == 2
    assert raykit("render", "-f", "absent.yaml")[0] == 2


def test_render_keeps_a_folder_and_says_what_it_changed(raykit, tmp_path):
    words = ("render", "-f", SINGLE, "--image", "a/b:c", "--set", "head.memory=3Gi")
    out = tmp_path / "out"
    code, said, _ = raykit(*words, "--job", "fib --size 20", "--output-dir", out)
    assert code == 0
    assert said.splitlines() == [
        f"written: {out}/raycluster.yaml",
        f"written: {out}/rayjob-fib.yaml",
        f"written: {out}/kustomization.yaml",
    ]
    code, said, _ = raykit(*words, "--output-dir", out)
    assert said.splitlines()[1:] == [f"removed: {out}/rayjob-fib.yaml"]
    assert raykit(*words, "--output-dir", out)[:2] == (0, f"{out}: nothing to change\n")
    assert raykit(*words, "--check", out) == (0, f"{out}: no drift\n", "")


def test_check_prints_a_diff_and_the_command_that_ends_the_drift(raykit, tmp_path):
    words = ("render", "-f", SINGLE, "--image", "a/b:c", "--set", "head.env={A: b}")
    out = tmp_path / "out"
    raykit(*words, "--job", "fib", "--output-dir", out)
    (out / "raycluster.yaml").unlink()
    code, diff, said = raykit(*words, "--check", out)
    assert code == 8
    assert f"+++ {out}/raycluster.yaml\n" in diff
    assert f"  {out}/raycluster.yaml: is missing\n" in said
    assert f"  {out}/rayjob-fib.yaml: is not rendered any more\n" in said
    again = shlex.split(said.splitlines()[-1].removeprefix("next: raykit "))
    code, found, _ = raykit(*words, "--check", out, "-o", "json")
    envelope = json.loads(found)
    assert (code, envelope["error"]["exit_code"]) == (8, 8)
    assert envelope["data"]["diff"] == diff
    assert raykit(*again)[0] == 0
    assert raykit(*words, "--check", out)[0] == 0


def test_set_says_what_is_wrong_by_path(raykit):
    code, out, err = raykit("render", "-f", SINGLE, "--set", "hed.memory=1Gi", "--set", "kuberay=1")
    assert (code, out) == (3, "")
    assert 'hed: unknown key; did you mean "head"?' in err
    assert "kuberay: " in err


def test_a_folder_is_written_or_checked_and_not_both(raykit, tmp_path):
    code, _, err = raykit("render", "-f", SINGLE, "--check", tmp_path, "--output-dir", tmp_path)
    assert code == 2
    assert "leave --output-dir or --check out" in err


CLUSTER = """\
apiVersion: v1
kind: ConfigMap
---
apiVersion: ray.io/v1
kind: RayCluster
metadata: &meta
  name: c
spec:
  rayVersoin: "2.60.0"
  headGroupSpec:
    rayStartParams:
    template: {spec: {containers: [{name: a}]}}
"""


def test_validate_judges_manifests_of_anyone_with_file_line_and_column(raykit, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CLUSTER)
    code, _, err = raykit("validate", path)
    assert code == 3
    assert f"  {path}:9:3: spec.rayVersoin: unknown field to KubeRay 1.6.2; did you mean" in err
    code, out, _ = raykit("validate", path, "-o", "github")
    assert code == 3
    assert out.startswith(f"::error file={path},line=9,col=3::spec.rayVersoin: unknown field")
    path.write_text(CLUSTER.replace("rayVersoin", "rayVersion"))
    assert raykit("validate", path) == (
        0,
        f"{path}: 1 valid for KubeRay 1.6.2\npassed over: 1 object of other kinds\n",
        "",
    )


def test_validate_takes_folders_files_and_standard_input(raykit, tmp_path, broken, monkeypatch):
    folder = tmp_path / "folder" / "below"
    folder.mkdir(parents=True)
    (folder / "good.yml").write_text(Path(SINGLE).read_text())
    (folder / "values.yaml").write_text("a: 1\n")
    (folder / "notes.txt").write_text("a: 1\n")
    code, out, _ = raykit("validate", folder.parent)
    assert (code, "passed over: 1 other file\n" in out) == (0, True)
    code, _, err = raykit("validate", folder.parent, SINGLE, "-f", broken)
    assert (code, err.count(f"  {broken}:")) == (3, 3)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"name: C\n")))
    code, _, err = raykit("validate", "-f", "-")
    assert (code, "  stdin:1:7: name: " in err) == (3, True)
    assert raykit("validate")[0] == 2


@pytest.mark.parametrize(
    "text",
    [
        b"apiVersion: ray.io/v1\nkind: RayCluster\nspec: {a: [}\n",
        b"kind: a\n" + b"a: " + b"[" * 5000,
        b"apiVersion: ray.io/v1\nkind: &a [*a]\n",
        b"kind: \xff\n",
        b"apiVersion: ray.io/v1\nkind: RayClustr\n",
        b"apiVersion: ray.io/v1\nkind: RayJob\n? [a, b]\n: 1\n<<: 3\n",
        b"apiVersion: ray.io/v1\nkind: RayJob\nspec: !!python/object:a.b {}\nx: 0x_\n",
    ],
)
def test_validate_ends_with_3_whatever_a_manifest_holds(raykit, tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_bytes(text)
    assert raykit("validate", path)[0] == 3


def test_a_job_that_raykits_image_lacks_is_refused_when_rendering(raykit):
    code, out, err = raykit("render", "-f", SINGLE, "--job", "fibb --size 20")
    assert (code, out) == (3, "")
    assert 'jobs[0].job: raykit\'s own image has no job "fibb"; did you mean "fib"?' in err
    assert raykit("render", "-f", SINGLE, "--job", "fibb", "--image", "a/b:c")[0] == 0


def test_validate_passes_over_charts_and_says_so(raykit, tmp_path):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("name: c\n")
    (tmp_path / "chart" / "values.yaml").write_text("head: {}\n")
    said = "passed over: 1 Helm chart: judge what `helm template` prints\n"
    assert raykit("validate", tmp_path) == (0, said, "")


def test_the_folder_that_the_readme_validates_is_valid(raykit):
    code, out, _ = raykit("validate", CLUSTERS.parent)
    assert (code, "1 valid for KubeRay" in out) == (0, True)
