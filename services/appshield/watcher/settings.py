"""Settings of the watcher, from `APPSHIELD_WATCHER_*`."""

from appshield.kubernetes.settings import ApiSettings
from appshield.language.adapters import ADAPTERS


class Settings(ApiSettings, frozen=True, kw_only=True):
    """What the watcher needs to run; `install_kinds` lets it bring AppShield's kinds along.

    `adapters` are the frameworks whose documents are read; helm needs the right to read Secrets.
    `gate_at` is where the API server reaches the gateway, `https://HOST:PORT` or
    `NAMESPACE/SERVICE:PORT`; empty: gates hold nothing but `appshield gate`.
    """

    install_kinds: bool = True
    gate_at: str = ""
    adapters: tuple[str, ...] = tuple(adapter.name for adapter in ADAPTERS)
