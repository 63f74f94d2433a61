"""KubeRay's operator and RayClusters: find, wait, explain, reach."""
