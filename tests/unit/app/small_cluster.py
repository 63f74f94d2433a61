"""A cluster named `small` on the API server of these tests: what it holds, and what was changed."""

import copy
import json

from raykit.flows.clusters import up as flow
from raykit.manifests.render import render

RAY = "/apis/ray.io/v1"
PATH = f"{RAY}/namespaces/raykit/rayclusters/small"
PROXY = "/api/v1/namespaces/raykit/services/small-head-svc:dashboard/proxy"
HEAD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "small-head",
        "namespace": "raykit",
        "uid": "uid-head",
        "creationTimestamp": "2026-11-24T00:00:02Z",
        "labels": {"ray.io/node-type": "head", "ray.io/cluster": "small"},
    },
    "spec": {
        "nodeName": "n",
        "containers": [{"name": "ray-head", "image": "example.com/ray:2.60.0"}],
    },
    "status": {
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T00:00:03Z"}
        ]
    },
}


def keep(api, spec, *workers, **metadata):
    """Put the cluster of a spec on the API server, with its head and workers, all ready.

    metadata: what the RayCluster's own holds besides.
    """
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    api.say("/api/v1/namespaces/raykit", {"kind": "Namespace", "metadata": {"name": "raykit"}})
    (item,) = render(flow.read_spec(spec, namespace="raykit"), image="")
    item["metadata"] |= {
        "uid": "uid-small",
        "generation": 1,
        "creationTimestamp": "2026-11-24T00:00:00Z",
        **metadata,
    }
    item["status"] = {
        "observedGeneration": 1,
        "conditions": [{"type": "HeadPodReady", "status": "True"}],
    }
    api.keep("rayclusters", item)
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T00:00:09Z"}
    for pod in map(copy.deepcopy, (HEAD, *workers)):
        pod["status"]["conditions"].append(ready)
        api.keep("pods", pod)
    api.keep("events")
    api.say(f"{PROXY}/api/gcs_healthz", {})
    api.say(f"{PROXY}/api/jobs/", [])


def changes(api):
    """The bodies of what was changed, by method."""
    return [
        (method, body)
        for (method, _, body), query in zip(api.asked, api.queries, strict=True)
        if method != "GET" and not query.get("dryRun")
    ]


def runs_a_job(api):
    job = {"submission_id": "mine-1", "status": "RUNNING", "type": "SUBMISSION", "entrypoint": "x"}
    api.say(f"{PROXY}/api/jobs/", [job, {**job, "submission_id": "old", "status": "SUCCEEDED"}])


def made_by_raykit(api, kubeconfig, tools):
    """The context is that of a kind cluster which carries raykit's mark, at this very port."""
    kubeconfig(api.url, context="kind-mine")
    mark = {"Destination": "/etc/raykit.io/owned"}
    node = {
        "Name": "/mine-control-plane",
        "Config": {"Labels": {"io.x-k8s.kind.role": "control-plane"}},
        "Mounts": [mark],
        "State": {"Running": True},
        "NetworkSettings": {"Ports": {"6443/tcp": [{"HostPort": str(api.url.rpartition(":")[2])}]}},
    }
    tools(docker=f"""case "$1" in ps) echo 1;; container) echo '{json.dumps([node])}';; esac""")
    return node


def deleted_before_it_changes(api, monkeypatch, *, again):
    """The cluster is deleted as soon as a change of it arrives. again: another one is made."""
    kept, answer = api.kept["rayclusters"], api.answer

    def delete_first(method, path, query, body):
        if (method, path) == ("PATCH", PATH) and not query.get("dryRun"):
            item = kept.pop(("raykit", "small"))
            if again:
                metadata = {**item["metadata"], "uid": "uid-of-theirs"}
                kept["raykit", "small"] = {**item, "metadata": metadata}
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", delete_first)
