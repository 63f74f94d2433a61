"""helm, which installs KubeRay, and kubectl, which forwards ports where the proxy does not do."""

from __future__ import annotations

import json

from raykit import checks, processes
from raykit.checks import Check
from raykit.errors import MissingError
from raykit.kuberay import reach
from raykit.kuberay.helm import tool


def helm() -> Check:
    """Whether raykit supports the Helm on PATH. Errors: as `tool.check_version`."""
    return checks.ok("helm", f"helm {tool.check_version()}")


def kubectl() -> Check:
    """The kubectl on PATH. Errors: MissingError (4) if there is none, or if it does not run."""
    processes.find("kubectl", install_hint=reach.INSTALL_KUBECTL)
    words = ["kubectl", "version", "--client", "--output", "json"]
    output = processes.run(words, timeout=15, error=MissingError).stdout
    try:
        version = json.loads(output)["clientVersion"]["gitVersion"]
    except (ValueError, TypeError, KeyError):
        version = "of an unknown version"
    return checks.ok("kubectl", f"kubectl {version}")
