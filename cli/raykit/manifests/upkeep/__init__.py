"""Render what keeps clusters in order: CronJobs that run raykit in the Kubernetes cluster."""
