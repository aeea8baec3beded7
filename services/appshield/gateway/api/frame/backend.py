"""What the routes of the API are built on, as one value: made in the wiring, faked in tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from appshield.bus import Bus, DeadLetter, Receipt
from appshield.gateway.api.frame.audit import Auditor
from appshield.gateway.api.frame.callers import Authenticator, Caller
from appshield.gateway.api.frame.clusters import Clusters
from appshield.gateway.api.frame.logins import Logins
from appshield.gateway.api.known.progress import HeardProgress
from appshield.gateway.api.known.views import Views
from appshield.gateway.measuring import VaultMeasures
from appshield.gateway.opened_versions import OpenedVersions
from appshield.gateway.unprotected_workloads import UnprotectedWorkloads
from appshield.rights.access import Access
from appshield.rights.restoring import Kinds
from appshield.service import Clock


class Follows(Protocol):
    """Tells what changes."""

    def listen(self, caller: Caller, *, namespace: str, last_event: str) -> AsyncIterator[bytes]:
        """Give server-sent events for one connection; see `live.listeners.Feed`."""


class Parked(Protocol):
    """Knows the messages that could not be handled."""

    async def list(self) -> list[DeadLetter]:
        """List them, oldest first."""

    async def replay(self, number: int) -> Receipt:
        """Send one again where it was, and remove it here."""

    async def remove(self, number: int) -> None:
        """Forget one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The ports of the API; `cluster` is the name under which this cluster is known on the bus.

    Identities of requests are made with `identity_key`, which gateways of one bus share and nobody
    else knows.
    """

    bus: Bus
    cluster: str
    views: Views
    access: Access
    authenticator: Authenticator
    logins: Logins
    clock: Clock
    kinds: Kinds
    feed: Follows
    progress: HeardProgress
    dead_letters: Parked
    clusters: Clusters
    contents: OpenedVersions
    measures: VaultMeasures
    workloads: UnprotectedWorkloads
    auditor: Auditor
    identity_key: bytes
