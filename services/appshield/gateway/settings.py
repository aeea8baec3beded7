"""Settings of the gateway, from `APPSHIELD_GATEWAY_*`."""

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the gateway needs to run.

    It listens on loopback only, as it asks nobody who they are; on a free port for 0.
    """

    http_port: int = 0
