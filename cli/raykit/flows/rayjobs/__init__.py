"""`raykit submit --as rayjob`: jobs that KubeRay submits, followed and recorded by raykit."""
