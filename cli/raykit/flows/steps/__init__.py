"""Steps of a run that have a module of their own: handing the job over, measuring it."""
