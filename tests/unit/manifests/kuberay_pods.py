"""The pods of a manifest as KubeRay 1.6.2 makes them, read in its source; for tests only.

`raykit validate` has its own idea of them: two readings that agree are better than one.
"""

import copy


def pods_of(made):
    """The pods of a RayCluster, RayJob or RayService: `metadata` and `spec` of each."""
    spec = made["spec"].get("jobTemplate", made["spec"])
    cluster = spec.get("rayClusterSpec") or spec.get("rayClusterConfig")
    if made["kind"] == "RayCluster":
        cluster = spec
    pods = of_cluster(cluster) if cluster else []
    if made["kind"] in {"RayJob", "RayCronJob"}:
        mode = spec.get("submissionMode", "K8sJobMode")
        if mode == "SidecarMode":
            pods[0]["spec"]["containers"].append({"name": "ray-job-submitter"})
        elif mode == "K8sJobMode":
            own = spec.get("submitterPodTemplate")
            pods.append(template(own) if own else bare_submitter())
    return pods


def of_cluster(cluster):
    """Head first; in each worker an init container that waits for the head."""
    head = template(cluster["headGroupSpec"]["template"])
    if cluster.get("enableInTreeAutoscaling"):
        options = cluster.get("autoscalerOptions") or {}
        keys = ("resources", "image", "env", "envFrom", "volumeMounts", "securityContext")
        own = {key: options[key] for key in keys if key in options}
        head["spec"]["containers"].append({"name": "autoscaler", **copy.deepcopy(own)})
    workers = [template(group["template"]) for group in cluster.get("workerGroupSpecs") or []]
    for worker in workers:
        ray = worker["spec"]["containers"][0]
        keys = ("image", "imagePullPolicy", "securityContext", "env", "volumeMounts")
        waiting = {key: ray[key] for key in keys if key in ray}
        inits = worker["spec"].setdefault("initContainers", [])
        inits.append({"name": "wait-gcs-ready", **copy.deepcopy(waiting)})
    return [head, *workers] if "historyServerOptions" not in cluster else collected(head, workers)


def collected(head, workers):
    """With KubeRay 1.7's history server each pod has a collector without a security context."""
    for pod in (head, *workers):
        pod["spec"]["containers"].append({"name": "collector"})
    return [head, *workers]


def template(given):
    made = copy.deepcopy(given)
    return {"metadata": made.get("metadata") or {}, "spec": made["spec"]}


def bare_submitter():
    return {"metadata": {}, "spec": {"containers": [{"name": "ray-job-submitter"}]}}
