"""The versions that fit together: raykit's own, Ray's and KubeRay's; each is said here only."""

from __future__ import annotations

RAYKIT = "0.1.0"
RAY = "2.60.0"
"""The Ray of raykit's image and of local heads."""

KUBERAY = "1.6.2"
"""The operator that `raykit kind up` installs and that specs are checked against by default."""

KNOWN_KUBERAY = ("1.6.2", "1.7.0")
"""The versions of KubeRay whose schemas and rules are known, oldest first."""
