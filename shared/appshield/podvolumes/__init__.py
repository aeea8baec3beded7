"""How an agent on a node reaches the volume of a pod, without trusting a path from anywhere.

The path is derived from what the API server says about pod, claim and volume, compared with what
the kubelet has written beside the mount, and opened component by component without following links.
"""

from appshield.podvolumes.finding import NodeVolumes
from appshield.podvolumes.holder import (
    MANAGED,
    RUN_LABEL,
    holder_pod,
    is_block,
    is_placed,
    is_running,
    labels_of,
    selector_of,
)
from appshield.podvolumes.mounting import until_mounted
from appshield.podvolumes.opening import PodDevice, PodVolume, claims_of, open_pod_volume
from appshield.podvolumes.removing import remove

__all__ = [
    "MANAGED",
    "RUN_LABEL",
    "NodeVolumes",
    "PodDevice",
    "PodVolume",
    "claims_of",
    "holder_pod",
    "is_block",
    "is_placed",
    "is_running",
    "labels_of",
    "open_pod_volume",
    "remove",
    "selector_of",
    "until_mounted",
]
