"""Libraries that load others of which hardly a command makes use: a quarter of the time of each.

They do without where these are missing; so they are told that they are, while they are loaded.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Final

NEEDLESS: Final = {
    "nats.aio.transport": "aiohttp",  # for websockets, which the bus is not asked over
    "structlog.dev": "rich.console",  # for tracebacks that show variables
    "structlog.tracebacks": "rich.pretty",
}


def load_less() -> None:
    """From now on, load what is needed only; everybody else finds what they ask for."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds modules as usual; those that load what is needless are loaded without it."""

    def __init__(self) -> None:
        self.missing = ""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self.missing:
            raise ModuleNotFoundError(f"{name} is not needed", name=name)
        if name not in NEEDLESS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Without(name, spec.origin, self)
        return spec


class _Without(SourceFileLoader):
    """Loads a module while another one is missing, unless that is loaded already."""

    def __init__(self, name: str, path: str, finder: _Finder) -> None:
        super().__init__(name, path)
        self._finder = finder

    def exec_module(self, module: ModuleType) -> None:
        before, self._finder.missing = self._finder.missing, NEEDLESS[module.__name__]
        try:
            super().exec_module(module)
        finally:
            self._finder.missing = before
