"""A step that is wanted, for what workers do without a run behind it: it tells nobody anything."""

from typing import Any

from appshield.errors import UnavailableError
from appshield.service.steps import StepContext


class WantedStep(StepContext):
    """Never superseded; with `dies` it ends where it would be asked, as if killed there."""

    def __init__(self, *, dies: bool = False) -> None:
        self._dies = dies
        self._last = (0, 0, 0)
        self.command: Any = None  # of no order

    def progress(self, bytes_done: int, bytes_total: int = 0, bytes_stored: int = 0) -> None:
        pass

    def _tell(self, bytes_done: int, bytes_total: int, bytes_stored: int) -> None:
        pass

    async def ensure_wanted(self) -> None:
        if self._dies:
            raise UnavailableError("killed here")
