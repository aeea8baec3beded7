"""The cluster as the routes see it: as AppShield itself, or in the name of whoever asks."""

from typing import Protocol

from appshield.gateway.api.frame.callers import Caller
from appshield.kubernetes import Cluster


class Clusters(Protocol):
    """Gives the gateway's cluster."""

    def own(self) -> Cluster:
        """Return the cluster, asked as AppShield itself."""

    def in_name_of(self, caller: Caller) -> Cluster:
        """Return the cluster, asked in a caller's name: its own rules decide what they may."""


class OneCluster:
    """The cluster that the gateway is connected to; a `Clusters`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def own(self) -> Cluster:
        """See Clusters."""
        return self._cluster

    def in_name_of(self, caller: Caller) -> Cluster:
        """See Clusters."""
        return self._cluster.acting_as(caller)
