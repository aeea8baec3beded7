"""What AppShield uses of kubernetes_asyncio: configuration, credentials and the HTTP session.

The package's own front door imports a generated model for every kind of Kubernetes: 850 modules,
66 MiB and a second of processor time in each process, of which not one is ever used here. This
module goes in by the side, and leaves no trace: whoever imports the package gets all of it.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Final

_PACKAGE: Final = "kubernetes_asyncio"
_CLIENT: Final = f"{_PACKAGE}.client"


@contextlib.contextmanager
def _without_models() -> Iterator[ModuleType]:
    """Let modules of the package be imported without its front door; give its `client`.

    `client` is empty but for what is put there. Modules that are imported meanwhile stay alive
    with those who imported them, and are not the ones that anybody else gets.
    """
    known = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_of_package(name)}
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    (folder,) = found.submodule_search_locations
    client = _empty(_CLIENT, f"{folder}/client")
    sys.modules.update({_PACKAGE: _empty(_PACKAGE, folder), _CLIENT: client})
    try:
        yield client
    finally:
        for name in list(sys.modules):
            if _is_of_package(name):
                del sys.modules[name]
        sys.modules.update(known)


def _empty(name: str, folder: str) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [folder]
    return package


def _is_of_package(name: str) -> bool:
    return name == _PACKAGE or name.startswith(f"{_PACKAGE}.")


with _without_models() as _client:
    from kubernetes_asyncio.client.configuration import Configuration

    # what the package's own `config` takes from there; of ApiClient it only makes some for others
    vars(_client).update(Configuration=Configuration, ApiClient=object)
    from kubernetes_asyncio.client.rest import RESTClientObject
    from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader

__all__ = [
    "ConfigException",
    "Configuration",
    "KubeConfigLoader",
    "RESTClientObject",
    "load_incluster_config",
    "load_kube_config",
]
