"""Pin a version: a small sealed object beside the repository, written before it is believed.

The repository is held meanwhile, so that nobody forgets the version at the same moment.
"""

import asyncio

from appshield.contracts.maintenance import PinVersion, VersionPinned
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.errors import NotFoundError
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.forgetting import snapshots_of


class Pinning:
    """Writes and removes pins; doing it again changes nothing."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody

    async def pin(self, command: StepCommand, context: StepContext) -> VersionPinned:
        """Keep a version whatever the rules say, or let it go again.

        Raises:
            NotFoundError: it does not exist any more.
        """
        order = order_of(command, PinVersion)
        async with self._custody.held(order.vault, order.app_id) as held:
            context.moved()
            await asyncio.to_thread(_pin, held, order)
        number = order.version.number
        return outcome(
            VersionPinned, order, app_id=order.app_id, number=number, pinned=order.pinned
        )


def _pin(held: HeldRepository, order: PinVersion) -> None:
    number = order.version.number
    if not order.pinned:
        held.shelf.unpin(number)
        return
    if not snapshots_of(order.version, held.repository.list_snapshots()):
        raise NotFoundError(
            f"version {number} of {order.app} does not exist any more",
            next_step="`appshield versions` lists those that do.",
        )
    held.shelf.pin(number, by=order.actor)
