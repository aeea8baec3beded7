"""A real single-node Kubernetes on this machine, started and stopped by the project.

settings        names, folders and addresses: everything follows from the name
lifecycle       up, down and status: the front door
building        Debian packages and Go programs, once (compiling, go/)
components      the programs and what they are called with (configuration, certificates)
supervise       the process that runs and restarts them (keeping, state, objects)
readiness       when a pod with a volume would run
network, storage, cgroups, mounts, leftovers, processes
                what a cluster has on the machine, made and removed without a trace
images          container images without a container tool
csi/            the storage driver
"""

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
