"""Commands that measure, and that read what was measured."""
