"""Every adapter. A new one is a module beside this and a line here."""

from collections.abc import Sequence

from appshield.errors import InvalidInputError
from appshield.language.adapters import argo_cd, helm, oam, protected_application, sig_apps
from appshield.language.adapters.adapter import Adapter

ADAPTERS: tuple[Adapter, ...] = (
    oam.ADAPTER,
    protected_application.ADAPTER,
    argo_cd.ADAPTER,
    helm.ADAPTER,
    helm.CONFIG_MAP_ADAPTER,
    sig_apps.ADAPTER,
)


def chosen(names: Sequence[str]) -> tuple[Adapter, ...]:
    """Return the adapters of these names.

    Raises:
        InvalidInputError: there is none of a name.
    """
    known = {adapter.name: adapter for adapter in ADAPTERS}
    if unknown := sorted(set(names) - set(known)):
        raise InvalidInputError(
            f"there is no adapter {', '.join(unknown)}",
            next_step=f"Choose of {', '.join(known)}.",
        )
    return tuple(known[name] for name in names)
