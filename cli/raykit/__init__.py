"""raykit deploys Ray clusters on Kubernetes and measures them."""

__version__ = "0.1.0"
