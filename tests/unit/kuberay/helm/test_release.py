"""KubeRay's chart: which one is installed, its CRDs, and a release that was interrupted."""

import json

import pytest

from raykit.errors import KubernetesError
from raykit.kuberay.finding import Finding
from raykit.kuberay.helm import release
from raykit.kuberay.waiting import Look


def says(text, code=0, stream=1):
    return f"cat <<'END' >&{stream}\n{text}\nEND\nexit {code}"


@pytest.mark.parametrize(
    ("chart", "version"),
    [
        ("", "1.6.2"),
        ("/m/kuberay-operator-1.7.0.tgz", "1.7.0"),
        ("oci://m/kuberay-operator", "1.6.2"),
    ],
)
def test_the_version_of_a_chart_file_is_the_one_that_is_wanted(monkeypatch, chart, version):
    monkeypatch.setenv(release.CHART_SETTING, chart)
    assert release.wanted() == version


def test_the_public_chart_is_pinned_and_a_mirror_is_taken_as_it_is(tools, monkeypatch, tmp_path):
    tools(helm=says("kind: CustomResourceDefinition\nmetadata: {name: rayclusters.ray.io}"))
    monkeypatch.delenv(release.CHART_SETTING, raising=False)
    assert release.crds()[0]["metadata"]["name"] == "rayclusters.ray.io"
    assert tools.called()[-1] == (
        "helm show crds kuberay-operator "
        "--repo https://ray-project.github.io/kuberay-helm/ --version 1.6.2"
    )
    monkeypatch.setenv(release.CHART_SETTING, "/mirror/kuberay-operator-1.6.2.tgz")
    release.crds()
    assert tools.called()[-1] == "helm show crds /mirror/kuberay-operator-1.6.2.tgz"
    monkeypatch.setenv(release.CHART_SETTING, "oci://mirror/kuberay-operator")
    release.crds()
    assert tools.called()[-1] == "helm show crds oci://mirror/kuberay-operator --version 1.6.2"


def test_a_chart_that_cannot_be_had_shows_helms_own_words(tools):
    tools(helm=says("Error: looks like the repository cannot be reached", 1, 2))
    with pytest.raises(KubernetesError) as failed:
        release.crds()
    assert failed.value.evidence[0].startswith("$ helm show crds")
    assert "cannot be reached" in failed.value.evidence[1]


def test_an_interrupted_helm_release_is_taken_away_before_the_next(tools):
    pending = json.dumps({"info": {"status": "pending-install"}})
    tools(helm=f'case "$1" in status) {says(pending)[: -len("exit 0")]} exit 0;; esac')
    release._release("kind-here")
    assert [line.split()[1] for line in tools.called()] == ["status", "uninstall", "upgrade"]
    assert "--kube-context kind-here" in tools.called()[-1]


@pytest.mark.parametrize("shown", ["kind: Deployment", "a: [", "", "[" * 5000, "- a"])
def test_a_chart_whose_crds_are_none_is_refused(tools, shown):
    tools(helm=f"echo '{shown}'")
    with pytest.raises(KubernetesError, match="the chart has no valid CRDs"):
        release.crds()


def test_no_room_for_the_operator_is_final_only_after_a_minute_as_nodes_of_a_new_cluster_start():
    stuck = Finding("unschedulable:op", "no Kubernetes node takes pod op", patience=12.0)
    other = Finding("image:x", "image x cannot be had", patience=8.0)
    patient = release._patient(Look(False, [stuck, other]))
    assert [finding.patience for finding in patient.findings] == [60.0, 8.0]
