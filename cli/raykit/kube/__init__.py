"""The Kubernetes API: kubeconfig, credentials, the connection and its errors."""
