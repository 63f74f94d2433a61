"""Drop each safe default of what `render` writes, in turn, and show the test that fails.

    python scripts/drop_safe_defaults.py [NAME...]

Each default is removed from a copy of the package, and the unit tests of manifests run on it,
without the golden files, which any change breaks. It ends with 1 if no test fails without one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANIFESTS = Path("cli") / "raykit" / "manifests"
SOONEST = ("tests/unit/manifests/test_hardening.py",)
ALL = ("tests/unit/manifests", "--ignore=tests/unit/manifests/judging")
WITHOUT_GOLDEN = "not golden_file"
BESIDE = ("jobs", "deploy", "charts", "Dockerfile", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Default:
    """A safe default: the line of a file that gives it, and what stands there without it."""

    name: str
    file: str
    line: str
    without: str = ""


NON_ROOT = '    "runAsNonRoot": True,\n'
SECCOMP = '    "seccompProfile": {"type": "RuntimeDefault"},\n'
END = "}\nPOD_SECURITY"
CONTEXT = '        "securityContext": CONTAINER_SECURITY,\n'
OF_RAY = '        "volumeMounts": [\n            {"name": SHM'
OF_AUTOSCALER = '        "volumeMounts": [\n            {"name": TMP'
DEFAULTS = (
    Default("escalation", "pods.py", '    "allowPrivilegeEscalation": False,\n'),
    Default("capabilities", "pods.py", '    "capabilities": {"drop": ["ALL"]},\n'),
    Default("read-only-root", "pods.py", '    "readOnlyRootFilesystem": True,\n'),
    Default("container-non-root", "pods.py", NON_ROOT + SECCOMP + END, SECCOMP + END),
    Default("container-seccomp", "pods.py", SECCOMP + END, END),
    Default(
        "pod-non-root",
        "pods.py",
        '    "runAsNonRoot": True,\n    "runAsUser": USER,\n',
        '    "runAsUser": USER,\n',
    ),
    Default("pod-user", "pods.py", '    "runAsUser": USER,\n'),
    Default(
        "pod-seccomp",
        "pods.py",
        '    "runAsUser": USER,\n    "seccompProfile": {"type": "RuntimeDefault"},\n',
        '    "runAsUser": USER,\n',
    ),
    Default("context-of-ray", "pods.py", CONTEXT + OF_RAY, OF_RAY),
    Default("context-of-autoscaler", "pods.py", CONTEXT + OF_AUTOSCALER, OF_AUTOSCALER),
    Default("context-of-sidecars", "pods.py", "{**CONTAINER_SECURITY, **given}", "{**given}"),
    Default("context-of-pods", "pods.py", '        "securityContext": _pod_security(pods),\n'),
    Default("no-api-token", "pods.py", '        "automountServiceAccountToken": False,\n'),
    Default("no-service-links", "pods.py", '        "enableServiceLinks": False,\n'),
    Default(
        "time-to-drain", "pods.py", '        "terminationGracePeriodSeconds": GRACE_SECONDS,\n'
    ),
    Default("memory-limit", "pods.py", 'limits = {"memory": pods.memory, ', "limits = {"),
    Default(
        "memory-request",
        "pods.py",
        '"cpu": cpu, "memory": pods.memory, ',
        '"cpu": cpu, ',
    ),
    Default("cpu-request", "pods.py", '{"cpu": cpu, "memory"', '{"memory"'),
    Default(
        "autoscaler-memory-limit",
        "pods.py",
        '            "limits": {"memory": spec.autoscaling.memory},\n',
    ),
    Default("probes", "pods.py", "        **PROBES,\n"),
    Default(
        "fs-group",
        "pods.py",
        ', "fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"',
    ),
    Default("sized-tmp", "pods.py", '"emptyDir": {"sizeLimit": size}', '"emptyDir": {}'),
    Default(
        "sized-shared-memory",
        "pods.py",
        '"sizeLimit": memory.shared_memory(pods)}',
        "}",
    ),
    Default(
        "shared-memory-is-memory", "pods.py", '{"medium": "Memory", "sizeLimit"', '{"sizeLimit"'
    ),
    Default(
        "object-store",
        "pods.py",
        '        "object-store-memory": str(memory.object_store_bytes(pods)),\n',
    ),
    Default("dashboard-host", "pods.py", '        "dashboard-host": "0.0.0.0",\n'),
    Default(
        "never-restarted", "pods.py", '        pod["restartPolicy"] = "Never"\n', "        pass\n"
    ),
    Default("authentication", "render.py", '        "authOptions": _auth(spec),\n'),
    Default("recreate", "render.py", '        "upgradeStrategy": {"type": spec.upgrade},\n'),
    Default("hosts-of-a-replica", "render.py", '        "numOfHosts": 1,\n'),
    Default("bound-of-replicas", "render.py", '        "maxReplicas": most(group),\n'),
    Default("niceness", "ray_environment.py", '    "RAY_worker_niceness": "0",\n'),
    Default(
        "log-streams", "ray_environment.py", '    "RAY_STATE_SERVER_MAX_HTTP_REQUEST": "-1",\n'
    ),
    Default("no-usage-report", "ray_environment.py", '    "RAY_USAGE_STATS_ENABLED": "0",\n'),
    Default("no-scheduler-events", "ray_environment.py", '    "RAY_SCHEDULER_EVENTS": "0",\n'),
    Default("no-second-autoscaler", "ray_environment.py", '    "RAY_enable_autoscaler_v2": "0",\n'),
    Default("head-is-kept", "addons.py", '"minAvailable": 1, '),
    Default("dns", "addons.py", '        {"ports": [_port(53, "UDP"), _port(53)]},\n'),
    Default("egress", "addons.py", '["Ingress", "Egress"]', '["Ingress"]'),
    Default(
        "accelerator-tolerations",
        "placement.py",
        "        for resource in sorted(accelerators(pods))\n",
        "        for resource in ()\n",
    ),
    Default(
        "no-cluster-again",
        "rayjob.py",
        '        "backoffLimit": 0,\n        "submitterConfig"',
        '        "submitterConfig"',
    ),
    Default(
        "no-submission-again", "rayjob.py", '        "submitterConfig": {"backoffLimit": 0},\n'
    ),
    Default(
        "submitter",
        "rayjob.py",
        '        "submitterPodTemplate": _submitter(spec, image, pull_policy),\n',
    ),
    Default(
        "context-of-submitter", "rayjob.py", '        "securityContext": pods.CONTAINER_SECURITY,\n'
    ),
    Default(
        "context-of-submitter-pod", "rayjob.py", '        "securityContext": pods.POD_SECURITY,\n'
    ),
    Default(
        "submitter-no-api-token", "rayjob.py", '        "automountServiceAccountToken": False,\n'
    ),
    Default("submitter-no-service-links", "rayjob.py", '        "enableServiceLinks": False,\n'),
    Default("submitter-never-restarted", "rayjob.py", '        "restartPolicy": "Never",\n'),
    Default("submitter-resources", "rayjob.py", '        "resources": SUBMITTER_RESOURCES,\n'),
    Default(
        "submitter-sized-tmp", "rayjob.py", '"emptyDir": {"sizeLimit": "1Gi"}', '"emptyDir": {}'
    ),
    Default("shared-cluster-no-ttl", "rayjob.py", ', "ttlSecondsAfterFinished": 0}', "}"),
    Default("own-cluster-ends", "rayjob.py", '        "shutdownAfterJobFinishes": True,\n'),
    Default("own-cluster-no-strategy", "rayjob.py", ' if key != "upgradeStrategy"'),
    Default(
        "own-cluster-day",
        "rayjob.py",
        "DAY_SECONDS if job.ttl_seconds is None",
        "0 if job.ttl_seconds is None",
    ),
)


def main() -> None:
    """Drop the defaults that are named, or all."""
    chosen = [each for each in DEFAULTS if not sys.argv[1:] or each.name in sys.argv[1:]]
    safe = [each.name for each in chosen if not report(each, failing(each))]
    if safe:
        print(f"no test fails without: {', '.join(safe)}")
        sys.exit(1)
    print(f"{len(chosen)} defaults: a test fails without each")


def dropped(default: Default) -> str:
    """The source of a default's file without it. Raises ValueError if it is not there once."""
    text = (ROOT / MANIFESTS / default.file).read_text("utf-8")
    if text.count(default.line) != 1:
        found = text.count(default.line)
        raise ValueError(f"{default.name}: its line is {found} times in {default.file}")
    return text.replace(default.line, default.without)


def failing(default: Default) -> str | None:
    """The first test that fails without a default; None if all pass."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copytree(ROOT / "cli", copy / "cli", ignore=shutil.ignore_patterns("__pycache__"))
        for beside in BESIDE:
            (copy / beside).symlink_to(ROOT / beside)
        (copy / MANIFESTS / default.file).write_text(dropped(default), "utf-8")
        return first_failure(copy, SOONEST) or first_failure(copy, ALL)


def first_failure(copy: Path, tests: tuple[str, ...]) -> str | None:
    """The first of some tests that fails with a copy of the package; None if all pass."""
    words = [sys.executable, "-m", "pytest", *tests, "-k", WITHOUT_GOLDEN, "-x", "-q", "--tb=no"]
    done = subprocess.run(
        [*words, "-p", "no:cacheprovider"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "cli"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if lines:
        return lines[0].partition(" ")[2].partition(" - ")[0]
    return None if done.returncode == 0 else f"pytest ends with {done.returncode}: {done.stdout}"


def report(default: Default, test: str | None) -> bool:
    """Print a default's line; whether a test fails without it."""
    print(f"{default.name:28} {test or 'NO TEST FAILS'}", flush=True)
    return test is not None


if __name__ == "__main__":
    main()
