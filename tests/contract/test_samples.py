"""KubeRay's own samples: `raykit validate` refuses none that the full CRD takes."""

from pathlib import Path

import pytest

from raykit.flows.validating.validate import validate
from raykit.manifests import schema

SAMPLES = Path(__file__).parents[3] / "shared" / "kuberay" / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="KubeRay's samples are not here")


def test_the_samples_are_judged_without_a_false_alarm():
    judged = validate([SAMPLES], schema.versions()[-1]).files
    assert [(each.file, each.problems) for each in judged if each.problems] == []
    assert sum(each.checked for each in judged) > 20


def test_for_an_older_kuberay_only_what_is_newer_is_refused():
    judged = validate([SAMPLES], schema.versions()[0]).files
    for problem in (problem for each in judged for problem in each.problems):
        # The address is required until 1.7.0.
        newer = "needs KubeRay 1.7.0" in problem.message
        assert newer or problem.path[-1] == "redisAddress"
