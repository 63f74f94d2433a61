"""What Kubernetes tells about a RayCluster, for an archive of evidence."""
