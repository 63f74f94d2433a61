"""Where a job runs: what the user says about it, the kinds of targets, and the choice."""
