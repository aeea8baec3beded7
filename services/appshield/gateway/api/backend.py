"""What the routes of the API are built on, as one value: made in the wiring, faked in tests."""

from dataclasses import dataclass

from appshield.bus import Bus
from appshield.gateway.api.access import Access
from appshield.gateway.api.callers import Authenticator, Logins
from appshield.gateway.api.views import Views
from appshield.service import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The ports of the API; `cluster` is the name under which this cluster is known on the bus."""

    bus: Bus
    cluster: str
    views: Views
    access: Access
    authenticator: Authenticator
    logins: Logins
    clock: Clock
