"""Measuring Vaults: how much of the bucket each application takes, and how well it is packed.

Listing a bucket is slow and costs money, so what was found is remembered for some minutes, and who
asks meanwhile gets that. Nothing is written.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from appshield.doors.holding import HeldApplication, Packed, held_in, packed_in
from appshield.errors import AppShieldError
from appshield.gateway.recent import Recent
from appshield.service import Clock
from appshield.vault import VaultAccess

FRESH_S = 600.0
PATIENCE_S = 5.0


class MeasuredVault(msgspec.Struct, frozen=True, kw_only=True):
    """What a bucket holds; `packed` is without the repositories that are `unknown`, and why."""

    measured_at: datetime
    applications: tuple[HeldApplication, ...]
    packed: Packed
    unknown: dict[str, str]


class VaultMeasures:
    """Measures Vaults, one at a time each; `access` reads what opens one."""

    def __init__(self, access: Callable[[str], Awaitable[VaultAccess]], clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._recent: Recent[MeasuredVault] = Recent(FRESH_S)

    async def of(self, vault: str) -> MeasuredVault | None:
        """Return what is known of a Vault; None while it is measured for the first time.

        Raises:
            NotFoundError, DeniedError, UnavailableError: it cannot be opened.
        """
        return await self._recent.within(
            vault, lambda: self._measured(vault), patience_s=PATIENCE_S
        )

    async def _measured(self, vault: str) -> MeasuredVault:
        access = replace(await self._access(vault), read_only=True)
        now = self._clock.now()
        return await asyncio.to_thread(_measure, access, now)


def _measure(access: VaultAccess, now: datetime) -> MeasuredVault:
    held = held_in(access)
    together, unknown = Packed(), dict[str, str]()
    for one in held:
        if not one.versions:
            continue  # no repository may be there yet
        try:
            found = packed_in(access, one.history)
        except AppShieldError as error:
            unknown[one.history] = error.what
            continue
        if found is None:
            unknown[one.history] = "its index is too large to be loaded for this"
        else:
            together += found
    return MeasuredVault(
        measured_at=now, applications=tuple(held), packed=together, unknown=unknown
    )
