"""The shapes that come with raykit fit the small Kubernetes nodes they are meant for."""

from pathlib import Path

import pytest

from raykit import kit
from raykit.spec import quantity
from raykit.spec.fit import Request, Room, requests, unplaced
from raykit.spec.load import inspect, load_file, overridden
from raykit.spec.model import wanted

CLUSTERS = Path(kit.root()) / "deploy" / "clusters"
SHAPES = sorted(path.stem for path in CLUSTERS.glob("*.yaml"))
LAB = ["single-node", "multi-node", "scaled", "autoscaled"]

# Two workers of 1 CPU and 5.5 GiB; CNI and kube-proxy on each, KubeRay's operator on one.
SYSTEM = Request("system", 120, 150 * quantity.MIB)
OPERATOR = Request("operator", 100, 512 * quantity.MIB)
NODE = Room(1000, int(5.5 * quantity.GIB)).without(SYSTEM)
NODES = [NODE, NODE.without(OPERATOR)]


def shape(name, replicas=None):
    return overridden(load_file(CLUSTERS / f"{name}.yaml"), replicas=replicas)


@pytest.mark.parametrize("name", LAB)
def test_each_shape_fits_by_itself_and_beside_single_node(name):
    assert unplaced(requests(shape(name)), NODES) == []
    assert unplaced(requests(shape("single-node")) + requests(shape(name)), NODES) == []


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_each_size_of_scaled_fits_beside_single_node(replicas):
    scaled = shape("scaled", replicas)
    assert scaled.task_cpus == replicas
    together = requests(shape("single-node")) + requests(scaled)
    assert unplaced(together, NODES) == []


def test_single_node_and_multi_node_differ_in_distribution_alone():
    single, multi = shape("single-node"), shape("multi-node")
    (group,) = multi.workers
    assert single.task_cpus == multi.task_cpus == 2
    per_task_cpu = quantity.size(single.head.memory) / single.head.task_cpus
    assert quantity.size(group.memory) / group.task_cpus == per_task_cpu


def test_the_worker_of_scaled_is_that_of_multi_node():
    ignored = {"replicas", "max_replicas"}
    (scaled,), (multi,) = shape("scaled").workers, shape("multi-node").workers
    assert scaled.model_dump(exclude=ignored) == multi.model_dump(exclude=ignored)
    assert wanted(scaled) == 1


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_short_opens_with_a_sentence_and_raises_no_doubt(name):
    text = (CLUSTERS / f"{name}.yaml").read_text("utf-8")
    assert len(text.splitlines()) <= 25
    assert text.startswith("# ")
    report = inspect(text)
    assert (report.problems, report.warnings) == ((), ())


def test_a_pod_that_fits_nowhere_is_named():
    big = Request("big", 1500, quantity.GIB)
    assert unplaced([big, Request("small", 100, 1)], NODES) == [big]


def test_the_scheduler_counts_the_init_container_and_the_autoscaler(tmp_path):
    spec = tmp_path / "s.yaml"
    spec.write_text(
        "name: c\nautoscaling: {enabled: true}\nhead: {memory: 2Gi, cpu: 100m}\n"
        "workers: [{name: w, memory: 1Gi, cpu: 50m, maxReplicas: 3}]\n"
    )
    assert requests(load_file(spec)) == [
        Request("c-head", 200, 2560 * quantity.MIB),
        *[Request("c-w", 200, quantity.GIB)] * 3,
    ]
