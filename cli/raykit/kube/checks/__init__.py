"""Checks of a context: rights, namespace, quota, admission."""
