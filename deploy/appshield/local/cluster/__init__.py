"""A real single-node Kubernetes on this machine, started and stopped by the project."""

from appshield.local.cluster.lifecycle import (
    ClusterStatus,
    ComponentStatus,
    cluster_down,
    cluster_status,
    cluster_up,
)
from appshield.local.cluster.readiness import ClusterFacts
from appshield.local.cluster.settings import (
    DEFAULT_NAME,
    PLAIN_STORAGE_CLASS,
    STORAGE_CLASS,
    ClusterSettings,
)

__all__ = [
    "DEFAULT_NAME",
    "PLAIN_STORAGE_CLASS",
    "STORAGE_CLASS",
    "ClusterFacts",
    "ClusterSettings",
    "ClusterStatus",
    "ComponentStatus",
    "cluster_down",
    "cluster_status",
    "cluster_up",
]
