"""Heads that are named by an address."""
