"""Who plans: one planner at a time holds a lease; its epoch grows with every taker.

A lease fences writes by compare-and-set, not side effects: a planner that was stopped and wakes up
finds its lease expired by the event loop's clock, which only grows, before it does anything.
"""

import asyncio
import contextlib

import structlog

from appshield.bus import Bucket, Bus, KeyExistsError, Retry, StaleRevisionError
from appshield.contracts.streams import LEASES
from appshield.errors import UnavailableError
from appshield.service import pause

_KEY = "planner"
_RENEW_SHARE = 4
_MARGIN_SHARE = 0.75


class Leadership:
    """The lease of one planner process."""

    def __init__(self, bus: Bus, holder: str) -> None:
        self._bucket: Bucket[str] = bus.bucket(LEASES, str)
        self._holder = holder
        self._revision = 0
        self._valid_until = 0.0
        self.epoch = 0

    async def acquire(self, stopping: asyncio.Event) -> bool:
        """Wait until the lease is ours; False when told to stop first."""
        while not stopping.is_set():
            asked_at = _monotonic_s()
            try:
                self._revision = await self._bucket.create(_KEY, self._holder)
            except (KeyExistsError, UnavailableError):
                await pause(stopping, LEASES.live_s / _RENEW_SHARE)
                continue
            self._extend(asked_at)
            self.epoch = self._revision
            structlog.get_logger().info("leading", epoch=self.epoch)
            return True
        return False

    async def keep(self, stopping: asyncio.Event) -> None:
        """Renew until told to stop or the lease is lost; then return.

        A bus that does not answer is not waited for: when the lease is not certainly ours any more
        every message goes back, so the sooner somebody takes it anew, the better.
        """
        while self.held() and not stopping.is_set():
            await pause(stopping, LEASES.live_s / _RENEW_SHARE)
            asked_at = _monotonic_s()
            try:
                async with asyncio.timeout(self._valid_until - asked_at):
                    self._revision = await self._bucket.update(_KEY, self._holder, self._revision)
            except StaleRevisionError:
                self._valid_until = 0.0  # somebody else has taken it, however that came about
            except (UnavailableError, TimeoutError):
                continue
            else:
                self._extend(asked_at)
        if not stopping.is_set():
            structlog.get_logger().warning("lost the lead", epoch=self.epoch)

    async def resign(self) -> None:
        """Give the lease back, so that another planner need not wait for its end."""
        if self.held():
            self._valid_until = 0.0
            with contextlib.suppress(UnavailableError):  # it ends by itself
                await self._bucket.delete(_KEY, revision=self._revision)

    def held(self) -> bool:
        """Say whether the lease is certainly ours at this moment."""
        return _monotonic_s() < self._valid_until

    def ensure(self) -> None:
        """Stop whoever asks when the lease is not certainly ours.

        Raises:
            Retry: leave the message to the planner that leads now.
        """
        if not self.held():
            raise Retry("this planner does not lead any more", after_s=LEASES.live_s)

    def _extend(self, asked_at: float) -> None:
        self._valid_until = asked_at + LEASES.live_s * _MARGIN_SHARE


def _monotonic_s() -> float:
    return asyncio.get_running_loop().time()
