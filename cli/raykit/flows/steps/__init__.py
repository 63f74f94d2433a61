"""Two steps of a run: submitting the job exactly once, and measuring it."""
