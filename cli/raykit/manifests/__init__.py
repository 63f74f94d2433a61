"""Render a spec to Kubernetes objects and check them with KubeRay's schemas. Pure functions."""
