"""Settings of the gateway, from `APPSHIELD_GATEWAY_*`."""

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the gateway needs to run.

    What it tells people it tells on loopback only, as it asks nobody who they are; on a free port
    for 0. With `gate_at`, which is where the API server reaches it (see the watcher's setting), it
    answers for the gate on `gate_host` and the port of that address, and asks the cluster that
    `kubeconfig` and `context` name, empty: the one that it runs in.
    """

    http_port: int = 0
    gate_at: str = ""
    gate_host: str = "0.0.0.0"  # noqa: S104 - the API server asks from elsewhere, over TLS
    kubeconfig: str = ""
    context: str = ""
