"""What a spec becomes: Kubernetes objects, checked against KubeRay's schemas. Pure."""
