"""The versions of raykit, Ray and KubeRay that work together; the code names them only here."""

from __future__ import annotations

RAYKIT = "0.1.0"
RAY = "2.60.0"
"""The Ray of raykit's image and of local heads."""

INSTALL_RAY = "pip install 'ray[default]==2.60.*' psutil"
"""Installs what the extra [local] names. raykit itself is on no package index, so the extra cannot
be asked for by name there."""

KUBERAY = "1.6.2"
"""The operator that `raykit kind up` installs, and whose schemas check specs by default."""

KNOWN_KUBERAY = ("1.6.2", "1.7.0")
"""The versions of KubeRay whose schemas and rules raykit knows, oldest first."""
