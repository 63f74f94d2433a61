"""RayJobs: jobs that KubeRay submits, as git or kubectl applied them."""
