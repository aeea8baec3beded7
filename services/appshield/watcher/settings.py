"""Settings of the watcher, from `APPSHIELD_WATCHER_*`."""

from appshield.language.adapters import ADAPTERS
from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the watcher needs to run; `install_kinds` lets it bring AppShield's kinds along.

    `kubeconfig` and `context` empty: the cluster that it runs in. `adapters` are the frameworks
    whose documents are read; helm needs the right to read Secrets. `gate_at` is where the API
    server reaches the gateway, `https://HOST:PORT` or `NAMESPACE/SERVICE:PORT`; empty: gates hold
    nothing but `appshield gate`.
    """

    kubeconfig: str = ""
    context: str = ""
    install_kinds: bool = True
    gate_at: str = ""
    adapters: tuple[str, ...] = tuple(adapter.name for adapter in ADAPTERS)
