"""Commits reach the cluster through the real Argo CD and the real Flux, side by side.

Each controller applies a fork of deploy/ of its own, in a namespace of its own, so that one wait is
for both. The tests go through the life of a cluster in git, in the order in which they stand here.
"""

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.kind import life
from tests.kind.controllers import TOOL, Argo, Flux, fork, lacking

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

SMALL = f"""name: single-node
head: {{taskCpus: 1, cpu: 100m, memory: 1536Mi, env: {life.DRAINS_BRIEFLY}}}
"""
EDITED = SMALL.replace("env: {", "env: {EDITED: '1', ")
# The autoscaler's container ignores SIGTERM: its pod ends when its time is over, 60 s as rendered.
ELASTIC = f"""name: autoscaled
autoscaling: {{enabled: true, idleTimeoutSeconds: 3600}}
head: {{cpu: 100m, memory: 1536Mi, patch: {{spec: {{terminationGracePeriodSeconds: 10}}}}}}
workers: [{{name: w, maxReplicas: 1, cpu: 100m, memory: 1Gi, env: {life.DRAINS_BRIEFLY}}}]
"""
JOBS = """jobs:
- {name: fib, job: fib, arguments: [--size, "2000"]}
- {name: own, entrypoint: [echo, once], ownCluster: true, ttlSeconds: 0}
"""
ASKS_FOR_A_WORKER = "import ray; ray.init(); print(ray.get(ray.remote(lambda: 6 * 7).remote()))"


@pytest.fixture(scope="module")
def home(lab):
    """The folder of the running controllers; other runs of pytest may delete its own folders."""
    reason = lacking()
    if reason and os.environ.get("RAYKIT_REQUIRE_GITOPS") == "1":
        pytest.fail(f"RAYKIT_REQUIRE_GITOPS=1, yet {reason}")
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="raykit-gitops-"))
    # Argo CD keeps the reasons of resources for its API server, which is not here, unless told so.
    env = {**lab.env, "ARGOCD_APPLICATION_CONTROLLER_PERSIST_RESOURCE_HEALTH": "true"}
    try:
        subprocess.run([TOOL, "start", folder], env=env, check=True, timeout=500)
        yield folder
    finally:
        subprocess.run([TOOL, "stop", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def both(lab, home, tmp_path_factory):
    """Argo CD and Flux, each with a cluster and two jobs from its fork, and both ready."""
    image = lab.json("image", "build")["image"]
    forks = tmp_path_factory.mktemp("forks")
    made = [fork(forks / name, name, image) for name in ("gitops-argo", "gitops-flux")]
    for repository in made:
        render_base(lab, repository, SMALL)
        render_jobs(lab, repository)
    controllers = [Argo(lab, made[0]), Flux(lab, made[1], home)]
    try:
        for each in controllers:
            each.start()
        yield controllers
    finally:
        for each in controllers:
            each.remove()
            lab.kubectl("delete", "rayjobs,rayclusters", "--all", "-n", each.namespace)
            lab.kubectl("delete", "namespace", each.namespace, "--ignore-not-found", "--wait=false")


def written(repository, text):
    path = repository.folder.parent / f"{repository.folder.name}.yaml"
    path.write_text(text, "utf-8")
    return path


def render_base(lab, repository, text):
    repository.base(lab, written(repository, text))


def render_jobs(lab, repository):
    path = written(repository, SMALL + JOBS)
    printed = lab.raykit("render", "-f", path, "--namespace", repository.namespace).stdout
    jobs = [each for each in yaml.safe_load_all(printed) if each and each["kind"] == "RayJob"]
    (repository.jobs / "fib.yaml").write_text(yaml.safe_dump_all(jobs), "utf-8")


def committed(both, edit):
    """The same edit in both forks, committed and handed over."""
    for each in both:
        edit(each.fork)
    for each in both:
        each.commit()


def all_ready(both, soon, name="raykit-clusters", seconds=300):
    for each in both:
        soon(lambda each=each: each.ready(name), seconds)


def test_a_commit_brings_up_a_cluster_that_submit_finds(lab, both, soon):
    all_ready(both, soon)
    for each in both:
        spec = written(each.fork, SMALL)
        (expected,) = life.rendered(lab, spec, each.namespace, "RayCluster")
        specs = {made["metadata"]["name"]: made["spec"] for made in rayclusters(lab, each)}
        assert specs["single-node"] == expected["spec"]
        words = ("submit", "fib", "--on", f"{each.namespace}/single-node", "--", "--size", "2000")
        assert "Speedup" in lab.raykit(*words).stdout


def test_jobs_in_git_have_run_once(lab, both, soon):
    all_ready(both, soon, "raykit-jobs")
    for each in both:
        assert life.jobs_ended(lab, each.namespace) == ["SUCCEEDED"] * 2
        # The cluster of the one that had its own is gone: its time to live is 0.
        soon(lambda each=each: names(lab, each) == {"single-node"}, 300)


def test_an_unchanged_tree_changes_no_object(lab, both, soon):
    namespaces = [each.namespace for each in both]
    before = soon(lambda: life.applied_at_rest(lab, namespaces), 300)
    for _ in range(2):
        for done in [each.apply_again() for each in both]:
            soon(done, 300)
    assert [life.applied(lab, namespace) for namespace in namespaces] == before


def test_an_edit_rolls_the_pods_and_ends_the_jobs_that_run_on_them(lab, both, soon):
    heads = [heads_of(lab, each) for each in both]
    jobs = [life.runs(lab, each.namespace) for each in both]
    sleepers = [life.sleeper(lab, f"{each.namespace}/single-node") for each in both]
    committed(both, lambda fork: render_base(lab, fork, EDITED))
    for each, before, sleeping in zip(both, heads, sleepers, strict=True):
        soon(partial(life.replaced, lab, each.namespace, "single-node", before), 300)
        life.ended_with_its_cluster(sleeping)
    all_ready(both, soon)
    # The commit ran none of the jobs again.
    assert [life.runs(lab, each.namespace) for each in both] == jobs


def heads_of(lab, each):
    return life.heads(lab, each.namespace, "single-node")


def test_a_broken_commit_is_shown_with_its_reason_and_takes_the_head_away(lab, both, soon):
    committed(
        both, lambda fork: fork.edit("overlays/dev/kustomization.yaml", "newTag: ", "newTag: no")
    )
    argo, flux = both
    assert "ImagePull" in soon(argo.unhealthy, 300)
    assert "RayCluster/gitops-flux/single-node status: 'Failed'" in soon(flux.unhealthy, 300)
    for each in both:
        row = lab.json("status", "-n", each.namespace)["clusters"][0]
        assert "cannot be had" in row["reasons"][0]["what"]
        # The old head may still be ending.
        soon(lambda each=each: list(heads_of(lab, each).values()) == [False])
    for each in both:
        each.fork.git("revert", "--no-edit", "HEAD")
        each.commit()
    all_ready(both, soon)


def test_a_commit_that_cannot_be_built_changes_nothing_in_the_cluster(lab, both, soon):
    before = [heads_of(lab, each) for each in both]
    committed(
        both, lambda fork: fork.edit("overlays/dev/kustomization.yaml", "quota.yaml", "no.yaml")
    )
    for each in both:
        assert "no.yaml" in soon(each.unbuildable, 300)
    # The same pods; whether each is ready just now is its probe's affair.
    assert [set(heads_of(lab, each)) for each in both] == [set(heads) for heads in before]
    for each in both:
        each.fork.git("revert", "--no-edit", "HEAD")


def test_where_nothing_is_upgraded_a_broken_commit_leaves_the_running_head(lab, both, soon):
    """With Argo CD alone: Flux would wait for its time-out, as docs/gitops.md says."""
    argo, _ = both
    before = heads_of(lab, argo)
    render_base(lab, argo.fork, SMALL + "upgrade: None\n")
    argo.fork.edit("overlays/dev/kustomization.yaml", "newTag: ", "newTag: no")
    argo.commit()
    soon(argo.ready, 300)
    (cluster,) = rayclusters(lab, argo)
    assert cluster["spec"]["upgradeStrategy"] == {"type": "None"}
    assert set(heads_of(lab, argo)) == set(before)
    argo.fork.git("revert", "--no-edit", "HEAD")


def test_replicas_of_the_autoscaler_are_its_own_and_what_left_git_is_pruned(lab, both, soon):
    def edit(fork):
        render_base(lab, fork, ELASTIC)
        fork.edit("overlays/dev/kustomization.yaml", "base/single-node", "base/autoscaled")

    committed(both, edit)
    all_ready(both, soon)
    for each in both:
        soon(lambda each=each: names(lab, each) == {"autoscaled"}, 300)
        words = ("submit", "--entrypoint", "--on", f"{each.namespace}/autoscaled", "--")
        assert "42" in lab.raykit(*words, "python", "-c", ASKS_FOR_A_WORKER).stdout
    for each in both:
        assert replicas(lab, each) == 1
        each.refresh()
    for each in both:
        soon(each.compared, 300)
        assert each.ready()
        assert replicas(lab, each) == 1


def test_an_edit_of_an_autoscaled_group_is_applied_and_leaves_its_worker(lab, both, soon):
    before = {each.namespace: workers(lab, each) for each in both}
    wider = ELASTIC.replace("maxReplicas: 1", "maxReplicas: 2")
    committed(both, lambda fork: render_base(lab, fork, wider))
    all_ready(both, soon)
    for each in both:
        assert group(lab, each)["maxReplicas"] == 2
        assert workers(lab, each) == before[each.namespace] != set()


def workers(lab, each):
    """The uid of each worker's pod."""
    pods = lab.objects("pods", "-n", each.namespace, "-l", "ray.io/node-type=worker")
    return {pod["metadata"]["uid"] for pod in pods}


def rayclusters(lab, each):
    return lab.objects("rayclusters", "-n", each.namespace)


def names(lab, each):
    return {cluster["metadata"]["name"] for cluster in rayclusters(lab, each)}


def group(lab, each):
    (cluster,) = rayclusters(lab, each)
    return cluster["spec"]["workerGroupSpecs"][0]


def replicas(lab, each):
    return group(lab, each)["replicas"]


def test_what_is_removed_from_git_leaves_nothing(lab, both, soon):
    def edit(fork):
        fork.edit("overlays/dev/kustomization.yaml", "- ../../base/autoscaled\n", "")
        fork.edit("gitops/jobs/kustomization.yaml", "resources:\n- fib.yaml", "resources: []")

    committed(both, edit)
    for each in both:
        soon(lambda each=each: life.left(lab, each.namespace) == [], 300)
