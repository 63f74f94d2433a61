"""Full years on kind: one Ray node against two workers, from a volume and from a web server.

    raykit kind up
    python benchmarks/gsod_on_kind.py FOLDER --years 1980 1984 … 2020 --rounds 3

FOLDER holds `<year>.tar.gz`, as `gsod_generate.py` makes them; it is copied into every Kubernetes
node. The web server speaks TLS at the gateway of kind's network, outside of the cluster, on the
same CPUs. For each source `raykit bench` compares the two clusters; printed are its answer, and
what the runs say of their reading: bytes a second, waiting, and what limited them. With
`--cpu-limit` each worker gets that CPU limit, which the runs should name.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from gsod_sources import certify, free_port, running
from warm_head import SCRIPTS

IN_NODE, NAMESPACE = "/var/raykit-gsod", "gsod-bench"
ARMS = ("reads-single", "reads-multi")
VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": NAMESPACE},
    "spec": {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
        "hostPath": {"path": IN_NODE},
        "claimRef": {"namespace": NAMESPACE, "name": "gsod"},
    },
}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "gsod", "namespace": NAMESPACE},
    "spec": {
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
        "volumeName": NAMESPACE,
        "resources": {"requests": {"storage": "2Gi"}},
    },
}
READS = {
    "env": {"SSL_CERT_FILE": "/authority/ca.pem"},
    "volumes": [
        {"name": "gsod", "mountPath": "/gsod", "claim": "gsod", "readOnly": True},
        {"name": "authority", "mountPath": "/authority", "configMap": "authority"},
    ],
}


def specs(cpu_limit: str | None) -> dict[str, Any]:
    """Two clusters with the same task CPUs and the same sources."""
    limit = {"cpuLimit": cpu_limit} if cpu_limit else {}
    worker = {"taskCpus": 1, "cpu": "200m", "memory": "1280Mi", **READS, **limit}
    return {
        "reads-single": {"head": {"taskCpus": 2, "cpu": "300m", "memory": "2560Mi", **READS}},
        "reads-multi": {
            "head": {"cpu": "200m", "memory": "2Gi"},
            "workers": [{"name": "workers", "replicas": 2, **worker}],
        },
    }


def run(*words: str | Path, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(
        [str(word) for word in words], input=stdin, stdout=subprocess.PIPE, text=True, check=check
    )
    return done.stdout


def gateway() -> str:
    """The address of this machine in kind's network."""
    shown = json.loads(run("docker", "network", "inspect", "kind"))[0]["IPAM"]["Config"]
    return next(each["Gateway"] for each in shown if "." in each.get("Gateway", ""))


def prepare(folder: Path, kind: str, authority: Path) -> None:
    """Bring the archives, the volume and the authority into the Kubernetes cluster."""
    for node in run("kind", "get", "nodes", "--name", kind).split():
        run("docker", "exec", node, "rm", "-rf", IN_NODE)
        run("docker", "cp", folder, f"{node}:{IN_NODE}")
    run("kubectl", "create", "namespace", NAMESPACE)
    run("kubectl", "create", "configmap", "authority", f"--from-file={authority}", "-n", NAMESPACE)
    for manifest in (VOLUME, CLAIM):
        run("kubectl", "apply", "-f", "-", stdin=json.dumps(manifest))


def bring_up(folder: Path, cpu_limit: str | None) -> None:
    for name, spec in specs(cpu_limit).items():
        path = folder / f"{name}.yaml"
        path.write_text(json.dumps({"name": name, **spec}))
        run(SCRIPTS / "raykit", "up", "-f", path, "-n", NAMESPACE)


def compare(source: str, years: list[int], rounds: int) -> None:
    """Run both clusters in turn, and print the answer and what the runs say of their reading."""
    arms = [word for arm in ARMS for word in ("--on", arm)]
    asked = ["--data", source, "--years", *map(str, years), "--high-temp", "100"]
    bench = [SCRIPTS / "raykit", "bench", "gsod", *arms, "-n", NAMESPACE, "--repeat", str(rounds)]
    before = set(records())
    print(f"== {source}")
    print(run(*bench, "--yes", "--", *asked))
    runs = [json.loads(path.read_text("utf-8")) for path in set(records()) - before]
    for arm in ARMS:
        results = [record["results"][0]["data"] for record in runs if of(record) == arm]
        reading = [result["reading"] for result in results]
        shown = {
            "arm": arm,
            "runs": len(reading),
            "makespan_seconds": median(result["makespan_seconds"] for result in results),
            "ray_nodes_used": results[0]["ray_nodes_used"],
            "mb_per_second": median(each["bytes_per_second"] for each in reading) / 1e6,
            "waiting_share": median(each["waiting_share"] for each in reading),
            "held_back_share": median(each["held_back_share"] for each in reading),
            "limited_by": sorted({each["limited_by"] for each in reading}),
            "task_memory_mib": max(result["task_memory_bytes"] for result in results) / 2**20,
        }
        print(json.dumps(shown))


def records() -> list[Path]:
    return list(Path(os.environ["RAYKIT_RUNS"]).glob("*/record.json"))


def of(record: dict[str, Any]) -> str:
    """The name of the cluster on which a run ran."""
    name: str = record["cluster"]["name"]
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", default=os.environ.get("RAYKIT_KIND_NAME", "raykit"))
    parser.add_argument("--cpu-limit", metavar="CPUS", help="of each worker")
    options = parser.parse_args()
    folder = options.folder.resolve()
    with ExitStack() as opened:
        temporary = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-kind-")))
        os.environ.setdefault("RAYKIT_RUNS", str(temporary / "runs"))
        host = gateway()
        certificates, port = certify(temporary, f"DNS:localhost,IP:{host}"), free_port(host)
        argv = [sys.executable, str(Path(__file__).with_name("gsod_sources.py")), str(folder)]
        argv += ["--serve", str(port), "--host", host, "--certificates", str(certificates)]
        opened.enter_context(running(argv, port, host))
        opened.callback(run, "kubectl", "delete", "pv", NAMESPACE, "--wait=false", check=False)
        opened.callback(run, "kubectl", "delete", "namespace", NAMESPACE, check=False)
        prepare(folder, options.kind, certificates / "ca.pem")
        bring_up(temporary, options.cpu_limit)
        for source in ("/gsod", f"https://{host}:{port}/archive"):
            compare(source, options.years, options.rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
