"""How AppShield talks to the API server of a Kubernetes cluster.

    kinds       what a kind is, and the kinds that AppShield knows by name
    access      which cluster, and the credentials for it
    requests    bounded, repeated, refused in words
    cluster     objects in, objects out: the front door
    watching    following a collection across any interruption
    executing   a command in a container, no byte lost unnoticed
    readiness   whether an object is as it should be (pure)

kubernetes_asyncio supplies configuration, TLS and token renewal; its models are never used, since
a backup must hold each object exactly as the API server said it.
"""

from appshield.kubernetes.access import ClusterAccess, with_token_file
from appshield.kubernetes.channels import PodRef
from appshield.kubernetes.cluster import Cluster
from appshield.kubernetes.errors import (
    AlreadyExistsError,
    BusyError,
    ConflictError,
    GoneError,
    NamespaceTerminatingError,
    NotServedError,
)
from appshield.kubernetes.executing import ExecOutcome
from appshield.kubernetes.kinds import Kind, Object, ObjectRef
from appshield.kubernetes.listing import Listing, Selection
from appshield.kubernetes.readiness import Readiness, ready
from appshield.kubernetes.requests import Actor
from appshield.kubernetes.watching import KeepingReflector, KeepingSink, Reflector, WatchSink

__all__ = [
    "Actor",
    "AlreadyExistsError",
    "BusyError",
    "Cluster",
    "ClusterAccess",
    "ConflictError",
    "ExecOutcome",
    "GoneError",
    "KeepingReflector",
    "KeepingSink",
    "Kind",
    "Listing",
    "NamespaceTerminatingError",
    "NotServedError",
    "Object",
    "ObjectRef",
    "PodRef",
    "Readiness",
    "Reflector",
    "Selection",
    "WatchSink",
    "ready",
    "with_token_file",
]
