"""docker, kind and the image that carries the jobs."""
