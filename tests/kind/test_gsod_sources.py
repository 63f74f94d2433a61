"""GSOD's years reach the tasks on a cluster: from a server outside of it, and from a volume."""

import json
import subprocess

import pytest

from jobs.gsod.options import SAMPLE
from tests.kind import outside

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

IN_NODE = "/var/gsod-of-tests"
QUESTION = ("--years", "2020", "2024", "--high-temp", "80")
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: gsod-of-tests}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  hostPath: {{path: {path}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: gsod, namespace: {namespace}}}
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  volumeName: gsod-of-tests
  resources: {{requests: {{storage: 1Gi}}}}
"""
SPEC = """
name: reads
head:
  taskCpus: 0
  cpu: 100m
  memory: 1536Mi
workers:
  - name: workers
    replicas: 2
    taskCpus: 1
    cpu: 200m
    memory: 1280Mi
    env: {SSL_CERT_FILE: /authority/ca.pem}
    volumes:
      - {name: authority, mountPath: /authority, configMap: authority, readOnly: true}
      - {name: gsod, mountPath: /gsod, claim: gsod, readOnly: true}
"""


@pytest.fixture
def server(lab, tmp_path):
    """A web server outside of the cluster, with the sample."""
    with outside.archives(lab, tmp_path, 2020, 2024) as origin:
        yield origin


@pytest.fixture
def volume(lab, namespace):
    """A claim for a folder of the Kubernetes nodes, which holds the sample."""
    nodes = ["kind", "get", "nodes", "--name", lab.name]
    shown = subprocess.run(nodes, env=lab.env, capture_output=True, text=True, check=True).stdout
    for node in shown.split():
        copy = ["docker", "cp", str(SAMPLE), f"{node}:{IN_NODE}"]
        subprocess.run(copy, env=lab.env, check=True, capture_output=True)
    manifest = VOLUME.format(path=IN_NODE, namespace=namespace)
    lab.kubectl("apply", "-f", "-", stdin=manifest)
    # No Kubernetes node takes a pod whose claim is not bound.
    bound = "--for=jsonpath={.status.phase}=Bound"
    lab.kubectl("wait", "pvc/gsod", "-n", namespace, bound, "--timeout=300s")
    yield
    lab.kubectl("delete", "pv", "gsod-of-tests", "--wait=false")


def test_two_workers_read_from_a_server_outside_and_from_a_volume(
    lab, namespace, server, volume, tmp_path
):
    (tmp_path / "reads.yaml").write_text(SPEC)
    outside.trust(lab, tmp_path, namespace)
    on = ["-n", namespace, "--on", "reads"]
    lab.raykit("up", "-f", tmp_path / "reads.yaml", "-n", namespace)
    found = []
    for source in (server.url, "/gsod"):
        data = ["--data", source, *QUESTION]
        done = lab.raykit("submit", "gsod", *on, "-o", "json", "--", *data)
        found += json.loads(done.stdout)["data"]["results"]
    web, mounted = (result["data"] for result in found)
    assert found[0]["work"] == found[1]["work"]
    assert [year["hits"] for year in web["years"]] == [108, 18]
    assert web["reading"]["bytes"] == mounted["reading"]["bytes"]
    assert len(server.requests) == 2, "each task asked once, and nobody else"
