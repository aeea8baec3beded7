"""How an agent on a node reaches the volume of a pod, without trusting a path from anywhere.

The path is derived from what the API server says about pod, claim and volume, compared with what
the kubelet has written beside the mount, and opened component by component without following links.
"""

from appshield.podvolumes.opening import MountedVolume, open_pod_volume

__all__ = ["MountedVolume", "open_pod_volume"]
