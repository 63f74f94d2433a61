"""Checks of docker, kind and images."""
