"""Helm: the program on PATH, and KubeRay's operator as its release."""
