"""Checks of KubeRay: its definitions and its operator."""
