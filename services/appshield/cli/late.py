"""Modules that are loaded when they are first used: together two fifths of a command's start.

nats-py imports aiohttp for WebSockets, which few ever use; structlog brings rich along, and most
commands log nothing. Both stay importable as ever: whoever touches one gets it whole.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any


def load_late(name: str, *, loaded: Callable[[], None] | None = None) -> None:
    """Let the module `name` be loaded when it is first used, and `loaded` be called then.

    One that is there already stays as it is, and `loaded` is called at once.
    """
    module = sys.modules.get(name)
    if module is None:
        sys.modules[name] = _Late(name, loaded)
        sys.meta_path.insert(0, _Brought(name))
    elif loaded is not None:
        if isinstance(module, _Late):
            module.__dict__["_loaded"] = loaded
        else:
            loaded()


class _Late(ModuleType):
    """Stands for a module until something of it is wanted."""

    def __init__(self, name: str, loaded: Callable[[], None] | None) -> None:
        super().__init__(name)
        self.__spec__ = find_spec(name)
        self.__dict__["_loaded"] = loaded

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the module holds
        module = _load(self)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


def _load(late: _Late) -> ModuleType:
    name, loaded = late.__name__, late.__dict__["_loaded"]
    if sys.modules.get(name) is not late:
        return importlib.import_module(name)  # somebody else was first
    del sys.modules[name]
    module = importlib.import_module(name)
    if loaded is not None:
        loaded()
    return module


class _Brought(MetaPathFinder, Loader):
    """Gives a part of a late package as the package itself has brought it along.

    `import package.part` asks for the path of the package; that loads it, parts and all, after
    the import system has looked for the part and before it would load it a second time.
    """

    def __init__(self, package: str) -> None:
        self._below = f"{package}."

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find what was loaded meanwhile."""
        del path, target
        brought = fullname.startswith(self._below) and fullname in sys.modules
        return spec_from_loader(fullname, self) if brought else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Give the module as it is."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Leave it alone: it has run."""
