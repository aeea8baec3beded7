"""A real single-node Kubernetes on this machine, started and stopped by the project."""
