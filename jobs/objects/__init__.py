"""Large objects: one `ray.put` that many tasks read, against copies."""
