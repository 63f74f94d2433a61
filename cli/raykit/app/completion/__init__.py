"""Completion of commands, options and names in bash, zsh, fish, and as a plugin of kubectl."""
