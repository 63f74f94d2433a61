"""Real GitOps controllers beside the test cluster, each with a fork of deploy/ that it applies."""

import json
import os
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.kind import life

TOOL = life.ROOT.parent / "shared" / "kindlab" / "gitops"
SOMEBODY = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
ARGO_NAMESPACE, FLUX_NAMESPACE = "argocd", "flux-system"
REFRESH = "argocd.argoproj.io/refresh"
KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
RECONCILE = "reconcile.fluxcd.io/requestedAt"


def lacking():
    """Why the controllers cannot run here; None where they can."""
    if not TOOL.is_file():
        return "no GitOps controllers beside this checkout"
    if subprocess.run([TOOL, "check"], capture_output=True).returncode:
        return f"the GitOps controllers are not built: {TOOL} build"
    return None


@dataclass
class Fork:
    """A git repository with deploy/, edited as docs/gitops.md says."""

    folder: Path
    namespace: str

    @property
    def overlay(self):
        return self.folder / "deploy" / "overlays" / "dev"

    @property
    def jobs(self):
        return self.folder / "deploy" / "gitops" / "jobs"

    def git(self, *words):
        command = ["git", "-C", str(self.folder), *SOMEBODY, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def edit(self, path, old, new):
        """Replace a text of a file of deploy/, which must be there."""
        file = self.folder / "deploy" / path
        text = file.read_text("utf-8")
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new), "utf-8")

    def base(self, lab, spec, *more):
        """Render a spec into deploy/base, as `make render` does."""
        folder = self.folder / "deploy" / "base" / yaml.safe_load(spec.read_text("utf-8"))["name"]
        lab.raykit("render", "-f", spec, *more, "--output-dir", folder)

    def commit(self):
        """Commit everything; returns the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")


def fork(folder, namespace, image):
    """A fork whose address, image and sizes are this machine's; its dev overlay is in `namespace`.

    image: `name:tag`, in the nodes.
    """
    made = Fork(folder, namespace)
    shutil.copytree(life.ROOT / "deploy", folder / "deploy")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    for path in ("gitops/argocd/settings.yaml", "gitops/argocd/root.yaml"):
        made.edit(path, "https://git.example.com/team/raykit.git", folder.as_uri())
    overlay = made.overlay / "kustomization.yaml"
    document = yaml.safe_load(overlay.read_text("utf-8"))
    document["namespace"] = namespace
    name, _, tag = image.rpartition(":")
    document["images"] = [{"name": "raykit", "newName": name, "newTag": tag}]
    overlay.write_text(yaml.safe_dump(document), "utf-8")
    made.edit("overlays/dev/namespace.yaml", "raykit-dev", namespace)
    made.edit("overlays/dev/sizes.yaml", 'value: "1"', "value: 100m")
    made.edit("gitops/jobs/kustomization.yaml", "raykit-dev", namespace)
    return made


class Argo:
    """Argo CD: root.yaml is applied once, the rest follows from the fork."""

    def __init__(self, lab, repository):
        self.lab, self.fork, self.namespace = lab, repository, repository.namespace
        self._operator_in_the_fork()

    def _operator_in_the_fork(self):
        """Take CRDs and operator from the fork: their public addresses cannot be reached."""
        chart = Path(os.environ["RAYKIT_KUBERAY_CHART"])
        with tarfile.open(chart) as archive:
            archive.extractall(self.fork.folder / "vendor", filter="data")
        here = self.fork.folder.as_uri()
        path = self.fork.folder / "deploy" / "gitops" / "argocd" / "operator.yaml"
        crds, operator = yaml.safe_load_all(path.read_text("utf-8"))
        crds["spec"]["source"] = {
            "repoURL": here,
            "targetRevision": "main",
            "path": "vendor/kuberay-operator/crds",
        }
        operator["spec"]["source"] = {
            "repoURL": here,
            "targetRevision": "main",
            "path": "vendor/kuberay-operator",
            "helm": operator["spec"]["source"]["helm"],
        }
        path.write_text(yaml.safe_dump_all([crds, operator]), "utf-8")

    def start(self):
        self.head = self.fork.commit()
        self.lab.kubectl("config", "use-context", self.lab.context)
        life.run_line(self.lab, life.page_block("Argo CD")[0], self.fork.folder)

    def commit(self):
        self.head = self.fork.commit()
        self.refresh()

    def refresh(self):
        """Ask for a comparison with the repository as it is now."""
        self.lab.kubectl(
            "annotate", "applications", "--all", "-n", ARGO_NAMESPACE, f"{REFRESH}=hard"
        )

    def compared(self):
        """Whether the comparison that was asked for is done."""
        found = self.lab.objects("applications", "-n", ARGO_NAMESPACE)
        return not any(REFRESH in each["metadata"].get("annotations", {}) for each in found)

    def apply_again(self):
        """Sync the same commit once more; returns a test whether that is done."""
        operation = {"sync": {"syncOptions": ["ServerSideApply=true"]}}
        before = self.application("raykit-clusters")["status"]["operationState"]["startedAt"]
        self._patch("raykit-clusters", {"operation": operation})

        def done():
            state = self.application("raykit-clusters")["status"]["operationState"]
            return state["startedAt"] != before and state["phase"] == "Succeeded"

        return done

    def application(self, name):
        found = self.lab.objects("applications", "-n", ARGO_NAMESPACE)
        return next((each for each in found if each["metadata"]["name"] == name), {})

    def state(self, name):
        """(revision, sync status, health) of an Application."""
        status = self.application(name).get("status", {})
        sync = status.get("sync", {})
        return sync.get("revision"), sync.get("status"), status.get("health", {}).get("status")

    def ready(self, name="raykit-clusters"):
        return self.state(name) == (self.head, "Synced", "Healthy")

    def unhealthy(self):
        """The reason that is shown for the RayCluster of this commit, once it is known broken."""
        if self.state("raykit-clusters") != (self.head, "Synced", "Degraded"):
            return None
        resources = self.application("raykit-clusters")["status"]["resources"]
        (cluster,) = [each for each in resources if each["kind"] == "RayCluster"]
        return cluster["health"]["message"]

    def unbuildable(self):
        """What is said of a commit from which no manifests can be made."""
        conditions = self.application("raykit-clusters")["status"].get("conditions", [])
        return "".join(each["message"] for each in conditions if "Comparison" in each["type"])

    def remove(self):
        """Delete the Applications; the operator and its CRDs stay."""
        self.lab.kubectl("delete", "applications", "--all", "-n", ARGO_NAMESPACE)

    def _patch(self, name, body):
        words = ("patch", "application", name, "-n", ARGO_NAMESPACE, "--type", "merge", "-p")
        self.lab.kubectl(*words, json.dumps(body))


class Flux:
    """Flux's kustomize-controller; `publish` stands for source-controller, which cannot be had."""

    def __init__(self, lab, repository, home):
        self.lab, self.fork, self.namespace, self.home = lab, repository, repository.namespace, home
        # helm-controller cannot be had: the step before the clusters applies something plain.
        folder = self.fork.folder / "deploy" / "gitops" / "flux"
        (folder / "operator" / "release.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in-place-of-the-operator}\n", "utf-8"
        )
        self.all = folder

    def start(self):
        self.lab.kubectl("config", "use-context", self.lab.context)
        life.run_line(self.lab, life.page_block("Flux")[0], self.fork.folder)
        self.commit()

    def commit(self):
        self.head = self.fork.commit()
        words = [TOOL, "publish", self.home, self.fork.folder]
        done = subprocess.run(words, env=self.lab.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.refresh()

    def refresh(self, which="--all"):
        """Ask for a reconciliation now, as `flux reconcile` does."""
        words = ("annotate", KUSTOMIZATIONS, which, "--overwrite", "-n", FLUX_NAMESPACE)
        self.lab.kubectl(*words, f"{RECONCILE}={time.time_ns()}")

    def compared(self):
        """Whether each reconciliation that was asked for has ended well."""
        return all(
            each["status"].get("lastHandledReconcileAt")
            == each["metadata"]["annotations"][RECONCILE]
            and self.condition(each["metadata"]["name"])[1]["status"] == "True"
            for each in self.lab.objects(KUSTOMIZATIONS, "-n", FLUX_NAMESPACE)
        )

    def apply_again(self):
        """Apply the same commit once more; returns a test whether that is done."""
        self.refresh()
        return self.compared

    def condition(self, name):
        """Status and Ready condition of a Kustomization; asks again where it waits for another."""
        found = self.lab.objects(KUSTOMIZATIONS, "-n", FLUX_NAMESPACE)
        (status,) = [each.get("status", {}) for each in found if each["metadata"]["name"] == name]
        ready = [each for each in status.get("conditions", []) if each["type"] == "Ready"]
        if ready and ready[0]["reason"] == "DependencyNotReady":
            self.refresh(name)
        return (status, ready[0]) if ready else ({}, {"status": "", "reason": ""})

    def ready(self, name="raykit-clusters"):
        status, ready = self.condition(name)
        applied = status.get("lastAppliedRevision", "").endswith(self.head)
        return applied and ready["status"] == "True"

    def unhealthy(self):
        """What Flux says of the RayCluster of this commit, once it is known broken."""
        status, ready = self.condition("raykit-clusters")
        attempted = status.get("lastAttemptedRevision", "").endswith(self.head)
        return ready["message"] if attempted and ready["reason"] == "HealthCheckFailed" else None

    def unbuildable(self):
        _, ready = self.condition("raykit-clusters")
        return ready["message"] if ready["reason"] == "BuildFailed" else None

    def remove(self):
        self.lab.kubectl("delete", "--ignore-not-found", "--wait=false", "-k", str(self.all))
