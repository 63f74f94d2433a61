"""What raykit makes of `deploy/kind.yaml`, and what it makes of the nodes it finds."""

import json

import pytest
import yaml

from raykit.containers import docker, kind
from raykit.containers.kind import Node, State
from raykit.errors import ConflictError
from raykit.spec import quantity

GIB = 1024**3


def reserved(cpus, memory):
    shape = yaml.safe_load(kind.config(docker.Engine("28", cpus, memory, "amd64")))
    kubelet = yaml.safe_load(shape["kubeadmConfigPatches"][-1])
    assert kubelet["kind"] == "KubeletConfiguration"
    return shape, kubelet["systemReserved"]


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("memory", [4 * GIB, 16 * GIB, 24 * GIB + 1])
def test_the_workers_together_report_no_more_than_the_machine_has(cpus, memory):
    shape, held_back = reserved(cpus, memory)
    workers = [node for node in shape["nodes"] if node["role"] == "worker"]
    assert len(workers) == 2
    assert len(workers) * (cpus - quantity.parse(held_back["cpu"])) <= cpus
    shares = len(workers) * (memory - quantity.parse(held_back["memory"]))
    assert 0 < shares <= memory - kind.SYSTEM_MEMORY + 2 * 1024


def test_two_cores_leave_one_cpu_to_each_node():
    assert reserved(2, 16 * GIB)[1]["cpu"] == "1000m"


def test_every_node_carries_the_mark():
    shape, _ = reserved(2, 16 * GIB)
    for node in shape["nodes"]:
        assert [mount["containerPath"] for mount in node["extraMounts"]] == [kind.MARK]


def node(role="worker", running=True, ours=True, finished=False):
    return Node(f"raykit-{role}", role, running, ours, finished)


PLANE = {"role": "control-plane", "finished": True}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], State.absent),
        ([node(**PLANE), node(), node()], State.running),
        ([node(**PLANE), node(running=False), node()], State.stopped),
        ([node("control-plane"), node(), node()], State.partial),
        ([node()], State.partial),
        ([node("control-plane", ours=False)], State.foreign),
    ],
)
def test_nodes_amount_to_a_state(found, expected):
    assert kind.state(found) is expected


def test_a_foreign_cluster_is_refused_and_a_mark_is_what_counts():
    with pytest.raises(ConflictError) as refused:
        kind.refuse_foreign("raykit", [node(ours=False)])
    assert kind.MARK in refused.value.evidence[0]
    kind.refuse_foreign("raykit", [node()])


def test_nodes_are_read_from_the_engine(tools):
    began = "2026-11-26T10:00:00.123456789Z"
    container = {
        "Name": "/raykit-control-plane",
        "Config": {"Labels": {kind.ROLE_LABEL: "control-plane"}},
        "State": {"Running": True, "StartedAt": began},
        "Mounts": [{"Destination": "/lib/modules"}, {"Destination": kind.MARK}],
    }
    tools(
        docker=f"""case "$1" in
ps) echo abc;;
container) echo '{json.dumps([container])}';;
cp) exit 0;;
esac"""
    )
    (found,) = kind.nodes("raykit")
    assert found == Node("raykit-control-plane", "control-plane", True, True, True, None, began)
    assert "label=io.x-k8s.kind.cluster=raykit" in tools.called()[0]


def test_the_node_image_of_a_mirror_is_taken(tools, monkeypatch):
    info = {"ServerVersion": "28", "NCPU": 2, "MemTotal": 8 * GIB, "Architecture": "aarch64"}
    tools(docker=f"echo '{json.dumps(info)}'", kind="cat > /dev/null")
    monkeypatch.setenv(kind.NODE_IMAGE, "mirror/node:v1")
    kind.create("raykit", Silence())
    created = next(line for line in tools.called() if line.startswith("kind"))
    assert created == "kind create cluster --name raykit --config - --image mirror/node:v1"
    assert tools.called()[-1] == f"docker exec raykit-control-plane touch {kind.FINISHED}"


class Silence:
    def detail(self, text):
        pass
