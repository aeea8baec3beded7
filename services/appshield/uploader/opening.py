"""Open a repository before the application is touched: a store that fails, fails here."""

import asyncio

from appshield.contracts.backups import OpenRepository, RepositoryOpened
from appshield.contracts.identities import application_id
from appshield.contracts.message import StepCommand
from appshield.custody import Custody
from appshield.repository import Repository
from appshield.service import SystemClock, both
from appshield.service.steps import StepContext, order_of, outcome
from appshield.vault import ApplicationIdentity, ApplicationShelf


class Opening:
    """Makes sure that an application has a shelf with an identity and a repository."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self._clock = SystemClock()

    async def open(self, command: StepCommand, context: StepContext) -> RepositoryOpened:
        """Open or create the repository; tell the highest version number ever promised."""
        order = order_of(command, OpenRepository)
        shelf = await self._custody.shelf(order.vault, order.app_id)
        await asyncio.to_thread(self._identify, shelf, order)
        context.moved()
        async with self._custody.held(
            order.vault, order.app_id, create=True, shelf=shelf, more_follows=True
        ) as held:
            context.moved()
            # the larger of what was promised and what is there
            highest = await both(
                asyncio.to_thread(held.shelf.highest_version),
                asyncio.to_thread(_highest, held.repository),
            )
        return outcome(RepositoryOpened, order, highest_version=max(highest))

    def _identify(self, shelf: ApplicationShelf, order: OpenRepository) -> None:
        if shelf.identity() is not None:
            return
        if order.app_id != application_id(order.app.cluster, order.uid):
            return
        shelf.write_identity(
            ApplicationIdentity(
                app_id=order.app_id,
                cluster=order.app.cluster,
                namespace=order.app.namespace,
                name=order.app.name,
                uid=order.uid,
                minted_at=self._clock.now(),
            )
        )


def _highest(repository: Repository) -> int:
    numbers = [0]
    for _, document in repository.snapshots():
        for tag in document.tags:
            name, _, number = tag.partition("=")
            if name == "appshield:version" and number.isdecimal():
                numbers.append(int(number))
    return max(numbers)
