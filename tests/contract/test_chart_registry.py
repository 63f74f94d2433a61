"""The chart as an OCI artifact: packaged, pushed to a real registry on loopback, pulled by Helm."""

import subprocess

import pytest
import yaml

from raykit import kit, versions
from tests.registry import with_chart

CHART = kit.root() / "charts" / "raykit"


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """The address of the chart in a registry of this machine."""
    with with_chart(CHART, tmp_path_factory.mktemp("registry")) as address:
        yield address


def helm(*words):
    done = subprocess.run(["helm", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_chart_from_the_registry_gives_what_the_folder_gives(pushed):
    values = ("--set", "jobs[0].name=fib", "--set", "jobs[0].job=fib")
    from_registry = helm("template", "c", pushed, "--plain-http", *values)
    assert from_registry == helm("template", "c", CHART, *values)
    assert [each["kind"] for each in yaml.safe_load_all(from_registry) if each].count("RayJob") == 1


def test_the_registry_shows_the_charts_own_description(pushed):
    shown = yaml.safe_load(helm("show", "chart", pushed, "--plain-http"))
    assert shown == yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert shown["appVersion"] == versions.RAY
