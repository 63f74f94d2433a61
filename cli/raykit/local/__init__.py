"""Ray heads on this machine."""
