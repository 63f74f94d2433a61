"""What raykit needs: all of it for `raykit doctor`, the quick part of it below an error."""
