"""What tests ask of a cluster that a tool of the user's applies, changes and removes."""

import json
import os
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "kindlab"
"""What the test cluster may need beside the checkout."""
DRAINS_BRIEFLY = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "2"}
"""Ray's own setting. A head that ends waits 30 s for the jobs on it, unless told otherwise."""
KINDS = "rayclusters,rayjobs,pods,services,jobs,secrets,configmaps,roles,rolebindings"


def require(tool, what, variable):
    """Skip the test if a program of the lab is not built; fail if a variable demands it."""
    reason = None
    if not tool.is_file():
        reason = f"no {what} beside this checkout"
    elif subprocess.run([tool, "check"], capture_output=True).returncode:
        reason = f"{what}: not built; {tool} build"
    if reason and os.environ.get(variable) == "1":
        pytest.fail(f"{variable}=1, yet {reason}")
    if reason:
        pytest.skip(reason)


@contextmanager
def restricted_namespace(lab, words):
    """A namespace that enforces Pod Security `restricted`, gone after the block."""
    name = f"t-{words}-{os.urandom(2).hex()}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    lab.kubectl("create", "-f", "-", stdin=json.dumps(made))
    try:
        # Without it Kubernetes refuses pods; it comes a moment after the namespace.
        lab.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=300s")
        yield name
    finally:
        # A test may have deleted it.
        lab.kubectl("delete", "raycluster", "--all", "-n", name, "--wait=false", check=False)
        lab.kubectl("delete", "namespace", name, "--wait=false", check=False)


def write_spec(folder, name, more="", **head):
    """Write a spec with a head that fits anywhere; returns its path."""
    keys = {"taskCpus": 1, "cpu": "100m", "memory": "1536Mi"}
    keys |= {"env": json.dumps(DRAINS_BRIEFLY)} | head
    lines = [f"name: {name}", more, "head:", *(f"  {key}: {keys[key]}" for key in keys)]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(line for line in lines if line) + "\n")
    return path


def page_block(heading):
    """The lines of the first block of commands below a heading of `docs/gitops.md`."""
    page = (ROOT / "docs" / "gitops.md").read_text("utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)[0].splitlines()


def run_line(lab, line, folder):
    """Run a line of a page as a reader does: in a shell, with the cluster's context chosen."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=lab.env, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def rendered(lab, spec, namespace, kind):
    """The objects of a kind that `raykit render` prints for a file."""
    printed = lab.raykit("render", "-f", spec, "--namespace", namespace).stdout
    return [each for each in yaml.safe_load_all(printed) if each and each["kind"] == kind]


def heads(lab, namespace, name):
    """The heads of a RayCluster by uid: whether each is ready. An old one may still be ending."""
    selector = f"ray.io/cluster={name},ray.io/node-type=head"
    return {
        pod["metadata"]["uid"]: any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in pod["status"].get("conditions", [])
        )
        for pod in lab.objects("pods", "-n", namespace, "-l", selector)
    }


def head(lab, namespace, name=None):
    """The pod of the only head of a RayCluster, or of a namespace, that is not ending; None if
    there is none."""
    selector = "ray.io/node-type=head" + (f",ray.io/cluster={name}" if name else "")
    pods = lab.objects("pods", "-n", namespace, "-l", selector)
    there = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return there[0]["metadata"]["name"] if len(there) == 1 else None


def on_head(lab, namespace, pod, *words, check=True):
    """Run a command in the container of Ray in a head's pod; returns what it prints."""
    return lab.kubectl("exec", "-n", namespace, pod, "-c", "ray-head", "--", *words, check=check)


def quota(lab, namespace, name, hard):
    """Make a ResourceQuota such as `pods=9`, and wait until its use is counted: until then the API
    server refuses everything, with other words."""
    lab.kubectl("create", "quota", name, f"--hard={hard}", "-n", namespace)
    resource, _, amount = hard.rpartition(",")[2].partition("=")
    counted = f"--for=jsonpath={{.status.hard.{resource}}}={amount}"
    lab.kubectl("wait", f"resourcequota/{name}", "-n", namespace, counted, "--timeout=300s")


def replaced(lab, namespace, name, before):
    """Whether a RayCluster has one head, a ready one, and none of those that it had before."""
    now = heads(lab, namespace, name)
    return list(now.values()) == [True] and not set(now) & set(before)


def applied(lab, namespace):
    """Each object that a manifest may hold, with who wrote what, but without its status: KubeRay
    may write that whenever a pod's probe is late."""
    words = ("rayclusters,rayjobs", "-n", namespace, "--show-managed-fields")
    return {
        (item["kind"], item["metadata"]["name"]): _applied(item) for item in lab.objects(*words)
    }


def _applied(item):
    metadata = {key: item["metadata"][key] for key in item["metadata"] if key != "resourceVersion"}
    metadata["managedFields"] = [
        entry for entry in metadata.get("managedFields", []) if entry.get("subresource") != "status"
    ]
    return {**item, "metadata": metadata, "status": None}


def applied_at_rest(lab, namespaces):
    """The objects in each namespace, once every RayJob has ended and nothing was written for 3 s;
    else an empty list."""
    jobs = [job for namespace in namespaces for job in lab.objects("rayjobs", "-n", namespace)]
    if any((job.get("status") or {}).get("jobDeploymentStatus") != "Complete" for job in jobs):
        return []
    before = [applied(lab, namespace) for namespace in namespaces]
    time.sleep(3)
    return before if [applied(lab, namespace) for namespace in namespaces] == before else []


def runs(lab, namespace):
    """When each RayJob of a namespace started, by uid: a job that runs again shows here."""
    return {
        job["metadata"]["uid"]: job["status"]["startTime"]
        for job in lab.objects("rayjobs", "-n", namespace)
    }


def jobs_ended(lab, namespace):
    """How each RayJob of a namespace ended; None for one that has not."""
    jobs = lab.objects("rayjobs", "-n", namespace)
    return [job.get("status", {}).get("jobStatus") for job in jobs]


def left(lab, namespace):
    """What is in a namespace but for what Kubernetes puts into every one."""
    found = lab.objects(KINDS, "-n", namespace)
    names = [(item["kind"], item["metadata"]["name"]) for item in found]
    return [name for name in names if name != ("ConfigMap", "kube-root-ca.crt")]


def sleeper(lab, target):
    """A job that runs until its cluster goes, and raykit, which follows it."""
    words = ["raykit", "submit", "--entrypoint", "--on", target, "--"]
    child = subprocess.Popen(
        [*words, "python", "-uc", "import time; print('sleeping'); time.sleep(600)"],
        env=lab.env,
        cwd=lab.env["HOME_OF_TESTS"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in child.stdout:
        if "sleeping" in line:
            return child
    raise AssertionError(child.communicate()[1])


def ended_with_its_cluster(sleeping):
    """Check what raykit says of a job whose head was replaced."""
    out, err = sleeping.communicate(timeout=300)
    assert sleeping.returncode == 20, out + err
    assert "FAILED: the head was lost before it said how the driver ended" in err
