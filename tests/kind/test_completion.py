"""A tab in the real bash completes what a real API server knows."""

import shutil

import pytest

from tests.conftest import patient
from tests.typist import Typist, noting_raykit

pytestmark = pytest.mark.kind


@pytest.fixture
def typist(lab, tmp_path):
    """A bash whose kubeconfig has the lab's context."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    noting_raykit(tmp_path, patient("raykit.flows.names.ANSWER_SECONDS"))
    mine = {"PATH": f"{tmp_path / 'bin'}:{lab.env['PATH']}", "TERM": "xterm", "PS1": "ready> "}
    with Typist("bash", tmp_path, lab.env | mine) as opened:
        opened.load_completion()
        yield opened


def completed(typist, *typed):
    """The words after a tab. An API server that answers late offers nothing: then once more."""
    for _ in range(5):
        words = typist.complete(" ".join(["raykit", *typed]))
        if words != list(typed):
            break
    return words


def test_contexts_namespaces_and_clusters_are_completed_from_the_api_server(lab, typist):
    context = ("ps", "--context", lab.context)
    assert completed(typist, *context[:2], lab.context[:-2]) == [*context]
    assert completed(typist, *context, "-n", "kube-sy") == [*context, "-n", "kube-system"]
    for option in ("--on", "-n raykit --on"):
        typed = (*context, *option.split(), "single-n")
        assert completed(typist, *typed) == [*typed[:-1], "single-node"]
