"""Connecting to the message bus, for the time of a block."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from appshield.bus.access import BusAccess
from appshield.bus.port import Bus

PUBLISH_BUDGET_S: Final = 30.0


@asynccontextmanager
async def connect_bus(
    access: BusAccess,
    *,
    name: str,
    on_problem: Callable[[str], None] | None = None,
    deadline_s: float = 10.0,
    publish_budget_s: float = PUBLISH_BUDGET_S,
    leaving: asyncio.Event | None = None,
) -> AsyncIterator[Bus]:
    """Connect to the bus; later outages of the server are survived.

    `name` is shown by the server; `on_problem` is told about trouble in a line of text. A publish
    that nobody confirms is tried again for `publish_budget_s`. Once `leaving` is set, calls fail at
    once while the server is away.

    Raises:
        UnavailableError: nobody answers at the URL within `deadline_s`.
        DeniedError: the server does not accept the user's key.
        InvalidInputError: the server is older than NATS 2.12, or the key file is missing.
    """
    from appshield.bus.jetstream import JetStreamBus  # most commands never need it, and it is slow

    bus = await JetStreamBus.open(
        access,
        name=name,
        on_problem=on_problem,
        deadline_s=deadline_s,
        publish_budget_s=publish_budget_s,
        leaving=leaving,
    )
    try:
        yield bus
    finally:
        await bus.close()
