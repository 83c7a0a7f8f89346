"""Kubernetes clusters: connections, the live picture of what runs there, its health."""
