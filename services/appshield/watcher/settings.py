"""Settings of the watcher, from `APPSHIELD_WATCHER_*`."""

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the watcher needs to run; `install_kinds` lets it bring AppShield's kinds along.

    `kubeconfig` and `context` empty: the cluster that it runs in.
    """

    kubeconfig: str = ""
    context: str = ""
    install_kinds: bool = True
