"""The release: what a tag builds, what it checks first, and what is attested."""

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from raykit import versions
from tests.programs import write_program
from tests.release_workflow import EXPRESSION, PATH, Release

WORKFLOW = yaml.safe_load(PATH.read_text("utf-8"))
TEXT = PATH.read_text("utf-8")


@pytest.fixture
def release(tmp_path):
    python = Path(sys.executable).parent
    return Release(tmp_path, PATH=f"{python}:/usr/local/bin:/usr/bin:/bin")


def test_foreign_actions_are_pinned_to_a_commit_with_its_version_beside_it():
    uses = re.findall(r"uses: (.+)", TEXT)
    assert len(uses) == 4
    assert [one for one in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v[\d.]+", one)] == []


def test_no_expression_stands_in_the_text_of_a_script():
    steps = WORKFLOW["jobs"]["release"]["steps"]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_only_a_tag_starts_it_and_only_this_job_may_write():
    assert WORKFLOW[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    assert WORKFLOW["permissions"] == {}
    assert set(WORKFLOW["jobs"]["release"]["permissions"]) == {
        *("contents", "packages", "id-token", "attestations"),
    }


def test_tests_come_before_the_first_push_and_attestations_before_the_release():
    order = [step.get("id") for step in WORKFLOW["jobs"]["release"]["steps"]]
    steps = ("check", "test", "wheel", "chart", "login", "image", "push-chart", "publish")
    assert [order.index(step) for step in steps] == sorted(map(order.index, steps))
    assert order.index("attest-files") < order.index("publish") > order.index("attest-image")


def test_every_output_that_a_step_reads_is_written_by_an_earlier_one():
    written = set()
    for step in WORKFLOW["jobs"]["release"]["steps"]:
        read = re.findall(r"steps\.([\w-]+)\.outputs\.(\w+)", str(step))
        assert set(read) <= written, step
        written |= {(step.get("id"), name) for name in re.findall(r'"(\w+)=', step.get("run", ""))}
    assert EXPRESSION.search(TEXT)


def test_the_tag_the_package_the_chart_and_the_changelog_must_agree(release):
    assert release.run("check") == (0, "")
    assert release.values["steps.check.outputs.version"] == versions.RAYKIT
    assert (release.world / "notes.md").read_text() == "\nThe first version.\n\n"


def test_a_tag_of_another_version_ends_at_once(release):
    release.values["github.ref_name"] = "v9.9.9"
    code, said = release.run("check")
    assert code == 1
    assert said == f"::error::cli/raykit/versions.py has {versions.RAYKIT}, the tag 9.9.9\n"


def test_a_chart_of_another_version_and_a_changelog_without_it_end_at_once(release):
    chart = release.folder / "charts" / "raykit" / "Chart.yaml"
    before = chart.read_text()
    chart.write_text(before.replace(f"\nversion: {versions.RAYKIT}\n", "\nversion: 9.9.9\n"))
    assert "Chart.yaml has 9.9.9" in release.run("check")[1]
    chart.write_text(before)
    (release.folder / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\nNew.\n")
    assert "CHANGELOG.md says nothing of" in release.run("check")[1]


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on PATH")
def test_wheel_and_chart_are_built_tried_and_summed(release):
    release.variables["PATH"] = f"{Path(shutil.which('helm')).parent}:{release.variables['PATH']}"
    for step in ("check", "wheel", "chart", "sums"):
        code, said = release.run(step)
        assert code == 0, said
    dist = release.folder / "dist"
    wheel = dist / f"raykit_kube-{versions.RAYKIT}-py3-none-any.whl"
    chart = dist / f"raykit-{versions.RAYKIT}.tgz"
    assert {path.name for path in dist.iterdir()} == {wheel.name, chart.name, "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, chart)}
    assert sums == hashes
    assert "raykit/_kit/jobs/fib/__main__.py" in zipfile.ZipFile(wheel).namelist()


def test_the_release_has_the_notes_the_image_and_the_files(release):
    tools = release.world / "bin"
    tools.mkdir()
    write_program(tools / "gh", '#!/bin/sh\nprintf "%s\\n" "$@" > "$RUNNER_TEMP/said"\n')
    release.variables["PATH"] = f"{tools}:{release.variables['PATH']}"
    (release.folder / "dist").mkdir()
    (release.folder / "dist" / "a.whl").touch()
    (release.world / "notes.md").write_text("The first version.\n")
    release.values |= {
        "steps.image.outputs.name": "ghcr.io/someone/raykit",
        "steps.image.outputs.digest": "sha256:0",
    }
    assert release.run("publish") == (0, "")
    notes = (release.world / "notes.md").read_text()
    assert notes == "The first version.\n\nImage: `ghcr.io/someone/raykit@sha256:0`\n"
    said = (release.world / "said").read_text().splitlines()
    assert said[:4] == ["release", "create", f"v{versions.RAYKIT}", "--verify-tag"]
    assert said[-1] == "dist/a.whl"
