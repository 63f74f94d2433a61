"""Specs and manifests judged: by their own rules, and by the schema of KubeRay."""
