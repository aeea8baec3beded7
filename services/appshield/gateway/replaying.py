"""Dead letters behind the API: whoever reads them does not thereby get the right to publish all.

Sending a message again takes the right to publish it wherever it was. The gateway's own user of the
bus has no such right, so each replay is a connection of its own as the user `operator`, and needs
that user's key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appshield.bus import Bus, BusAccess, DeadLetter, DeadLetters, Receipt, connect_bus
from appshield.errors import RefusedError


class ParkedMessages:
    """Dead letters of the bus; `operator` is how its operator connects, None without its key."""

    def __init__(self, bus: Bus, operator: BusAccess | None) -> None:
        self._letters = DeadLetters(bus)
        self._operator = operator

    async def list(self) -> list[DeadLetter]:
        """List them, oldest first."""
        return await self._letters.list()

    async def replay(self, number: int) -> Receipt:
        """Send one again where it was, and remove it here.

        Raises:
            NotFoundError: there is none of that number.
            RefusedError: the gateway has no key of the operator.
        """
        await self._letters.show(number)
        async with self._as_operator() as letters:
            return await letters.replay(number)

    async def remove(self, number: int) -> None:
        """Forget one; raises as `replay`."""
        await self._letters.show(number)
        async with self._as_operator() as letters:
            await letters.remove(number)

    @asynccontextmanager
    async def _as_operator(self) -> AsyncIterator[DeadLetters]:
        if self._operator is None:
            raise RefusedError(
                "this gateway only lists dead letters",
                why="it has no key of the operator of the bus",
                next_step="Use `appshield dead` where that key is, or give the gateway "
                "APPSHIELD_GATEWAY_OPERATOR_SEED_FILE.",
            )
        async with connect_bus(self._operator, name="gateway-operator") as bus:
            yield DeadLetters(bus)
