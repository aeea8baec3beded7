"""The ports of AppShield, what of them changes something, and the effects of a run, each named.

Every public method of a port is either an effect or a look. A new one is in neither, and the test
that compares them with the ports themselves fails.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from appshield.bus import Bucket, Bus
from appshield.contracts.agents import ServiceName
from appshield.kubernetes import Cluster
from appshield.objectstore.port import RetainingStore
from appshield.snapshotter.quiescing import Hooks

Moment = Literal["before", "after", "twice", "late"]
MOMENTS: tuple[Moment, ...] = ("before", "after", "twice", "late")

EFFECTS: Mapping[type, frozenset[str]] = {
    Bus: frozenset({
        "publish", "publish_raw", "append", "schedule", "cancel_timer", "tell", "consume",
        "remove_message", "trim", "remove_consumer", "sweep_exhausted",
        "ensure_topology", "ensure_stream", "ensure_bucket", "ensure_consumer",
    }),
    Bucket: frozenset({"create", "update", "put", "delete"}),
    Cluster: frozenset({
        "create", "apply", "replace", "patch_status", "merge_patch", "delete", "execute",
        "record_event",
    }),
    RetainingStore: frozenset({"put", "delete", "retain"}),
    Hooks: frozenset({"run"}),
}  # fmt: skip
"""What of each port changes something."""

LOOKS: Mapping[type, frozenset[str]] = {
    Bus: frozenset({"bucket", "listen", "read", "newest", "message_at", "acknowledged", "health"}),
    Bucket: frozenset({"get", "keys", "items", "watch"}),
    Cluster: frozenset({
        "connect", "acting_as", "uid", "get", "list", "listing", "kinds", "unavailable_groups",
        "kind_of", "kind_named", "refresh", "wait_for",
    }),
    RetainingStore: frozenset({"get", "open_range", "size", "list", "folders", "retention"}),
    Hooks: frozenset({"ensure_possible"}),
}  # fmt: skip
"""What of each port only looks."""

NOT_IN_A_RUN: Mapping[str, str] = {
    "Bus.publish": "is publish_raw of an encoded message",
    "Bus.append": "the audit's chain, tests/integration/planner/test_audit_processes.py",
    "Bus.tell": "may be lost by its promise",
    "Bus.consume": "its effect is the acknowledgement: that is lost in every cell that kills",
    "Bus.cancel_timer": "triggers, in the simulation and in tests/unit/planner",
    "Bus.remove_message": "dead letters, by a person",
    "Bus.trim": "upkeep of streams; what is unread never goes",
    "Bus.remove_consumer": "a node that is long gone",
    "Bus.sweep_exhausted": "only moves a message, tests/conformance/bus",
    "Bus.ensure_topology": "before any run, the same each time",
    "Bus.ensure_stream": "before any run, the same each time",
    "Bus.ensure_bucket": "before any run, the same each time",
    "Bus.ensure_consumer": "when an agent announces itself, the same each time",
    "Cluster.patch_status": "the watcher's; it is written anew from what is",
    "Cluster.replace": "documents that people write over REST",
    "Cluster.record_event": "may be lost by its promise",
    "RetainingStore.retain": "upkeep of object lock, tests/integration/uploader",
    "Hooks.run": "is Cluster.execute",
}
"""Effects that no run of the matrix has, and why, or where else they are tried."""

WORDS: Mapping[str, str] = {
    "create ": "Cluster.create",
    "apply ": "Cluster.apply",
    "replace ": "Cluster.replace",
    "patch status": "Cluster.patch_status",
    "merge patch": "Cluster.merge_patch",
    "delete ": "Cluster.delete",
    "execute": "Cluster.execute",
    "record event": "Cluster.record_event",
    "put object": "RetainingStore.put",
    "delete object": "RetainingStore.delete",
    "publish appshield": "Bus.publish_raw",
    "schedule": "Bus.schedule",
    "cancel": "Bus.cancel_timer",
    "create APPSHIELD": "Bucket.create",
    "update APPSHIELD": "Bucket.update",
    "put APPSHIELD": "Bucket.put",
    "delete APPSHIELD": "Bucket.delete",
}
"""Which operation of which port it is that a process says it does, by how it begins."""


class Effect(msgspec.Struct, frozen=True, order=True):
    """One thing that a service does in a run: `what` names the run as RUN."""

    service: ServiceName
    operation: str
    what: str

    def __str__(self) -> str:
        return f"{self.service} {self.operation} {self.what}"


def operation_of(what: str) -> str:
    """Name the operation of a port that this is."""
    found = [begin for begin in WORDS if what.startswith(begin)]
    if not found:
        raise AssertionError(f"{what!r} is an effect of no port that the matrix knows")
    return WORDS[max(found, key=len)]
