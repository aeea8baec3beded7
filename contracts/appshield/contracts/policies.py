"""What the watcher tells about policies, and what is kept about each."""

from datetime import datetime
from typing import ClassVar

import msgspec

from appshield.contracts.applications import Protection
from appshield.contracts.health import Reaction
from appshield.contracts.identities import AppRef, token
from appshield.contracts.message import Event

PLACE = "appshield-system"
"""The namespace in the place of a policy, which stands in none."""


class PolicyObserved(Event, frozen=True, kw_only=True, tag="appshield.v1.policy_observed"):
    """What the watcher last saw of a Policy object: its latest fact replaces older ones.

    `app` is the policy's own place. `match` and what follows are of the document in force;
    `refused` says why the newest document is not. Without a `match` none was ever accepted.
    """

    noun: ClassVar[str] = "policy"
    verb: ClassVar[str] = "observed"

    uid: str
    resource_version: str
    exists: bool
    generation: int = 0
    revision: str = ""
    match: str = ""
    protections: tuple[Protection, ...] = ()
    targets: tuple[str, ...] = ()
    refused: str = ""
    reactions: tuple[Reaction, ...] = ()
    rpo_alert_s: int = 0
    rto_alert_s: int = 0

    def message_id(self) -> str:
        """Name the fact after the object's uid and version."""
        return f"{self.uid}.{self.resource_version}.{'seen' if self.exists else 'gone'}"


class PolicyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner works by: a policy, under its cluster and name.

    `in_force_since`: from then on whatever the planner decides about an application it decides by
    this document; None until that is so. `settled`: the record of every application that it
    concerns says so, too.
    """

    app: AppRef
    uid: str
    resource_version: str = ""
    generation: int = 0
    revision: str = ""
    match: str = ""
    protections: tuple[Protection, ...] = ()
    targets: tuple[str, ...] = ()
    refused: str = ""
    reactions: tuple[Reaction, ...] = ()
    rpo_alert_s: int = 0
    rto_alert_s: int = 0
    in_force_since: datetime | None = None
    settled: bool = False


def policy_place(cluster: str, name: str) -> AppRef:
    """Return where a policy stands."""
    return AppRef(cluster=cluster, namespace=PLACE, name=name)


def policy_key(place: AppRef) -> str:
    """Name a policy's key in the bucket of policies."""
    return f"{token(place.cluster)}.{token(place.name)}"
