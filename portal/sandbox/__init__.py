"""An embedded Kubernetes API for machines without a cluster."""
