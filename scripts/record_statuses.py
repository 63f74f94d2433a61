"""Record what KubeRay writes into RayClusters and RayJobs: a file for each status of a watch.

    python scripts/record_statuses.py CONTEXT NAMESPACE FOLDER     until Ctrl-C

The health checks of Argo CD and Flux are tested on such files
(deploy/gitops/argocd/resource_customizations/*/testdata). A file has the whole status of an object,
and of its metadata and spec what the checks read.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import yaml

KINDS = ("rayclusters", "rayjobs")
SPEC_KEYS = (
    "enableInTreeAutoscaling",
    "suspend",
    "upgradeStrategy",
    "submissionMode",
    "backoffLimit",
)
FIELD_KEYS = ("manager", "operation", "subresource")


def main(context: str, namespace: str, folder: str) -> None:
    """Watch both kinds until the process is ended."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    followers = [
        threading.Thread(target=record, args=(context, namespace, kind, Path(folder)))
        for kind in KINDS
    ]
    for follower in followers:
        follower.start()


def record(context: str, namespace: str, kind: str, folder: Path) -> None:
    """Write each object of a watch whose status differs from all that were seen of it."""
    command = f"kubectl --context {context} -n {namespace} get {kind} --watch -o json"
    seen: set[str] = set()
    for number, item in enumerate(watched([*command.split(), "--show-managed-fields"])):
        kept = trimmed(item)
        known = json.dumps([kept["metadata"], kept.get("status")])
        if known not in seen:
            seen.add(known)
            name = f"{kind}-{item['metadata']['name']}-{number:03}.yaml"
            (folder / name).write_text(yaml.safe_dump(kept, sort_keys=False), "utf-8")


def watched(command: list[str]) -> Iterator[dict]:
    """The objects that kubectl prints one after the other."""
    text = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            text += line
            if line == "}\n":
                yield json.loads(text)
                text = ""


def trimmed(item: dict) -> dict:
    """What the health checks read of an object."""
    metadata = item["metadata"]
    fields = [
        {key: entry[key] for key in FIELD_KEYS if key in entry}
        for entry in metadata.get("managedFields", [])
    ]
    kept = {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": {
            "name": metadata["name"],
            "generation": metadata["generation"],
            "managedFields": fields,
        },
        "spec": {key: item["spec"][key] for key in SPEC_KEYS if key in item["spec"]},
    }
    return kept | ({"status": item["status"]} if "status" in item else {})


if __name__ == "__main__":
    main(*sys.argv[1:4])
