"""Repositories that an agent opens with keys on loan: one for each order, kept for no other."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from nacl.public import PrivateKey

from appshield.bus import Bus
from appshield.contracts import subjects
from appshield.contracts.agents import AgentService, agent_keys
from appshield.contracts.lending import BorrowKey, KeyLent, KeyNotLent
from appshield.contracts.message import Message, StepCommand
from appshield.custody import KeptRepositories, LockedRepository, RecordedLocks, open_repository
from appshield.errors import DeniedError, UnavailableError
from appshield.lending.sealing import opened_loan
from appshield.objectstore import ObjectStore, open_store
from appshield.repository import Repository
from appshield.service import Clock, SystemClock
from appshield.service.steps import StepContext
from appshield.vault import RepositoryAccess

ANSWERED_WITHIN_S = 30.0
"""Who lends may have to start again first."""

_ASK_EVERY_S = 1.0


class OrdersRepositories(Protocol):
    """Gives the repositories that orders are about."""

    def held(
        self, order: StepCommand, context: StepContext
    ) -> AbstractAsyncContextManager[LockedRepository]:
        """Hold the repository of an order while the block runs, together with others."""
        ...


class _Borrowed:
    """What opens the repository, as long as somebody refers to it."""

    def __init__(self, access: RepositoryAccess) -> None:
        self._access = access
        self._store = open_store(access.store)

    @property
    def repository_store(self) -> ObjectStore:
        return self._store

    def repository_password(self) -> str:
        return self._access.password

    def recovery(self) -> bytes | None:
        return self._access.recovery


class BorrowedRepositories:
    """Opens and locks, for an agent on a node, the repositories that its orders are about."""

    def __init__(
        self,
        *,
        bus: Bus,
        worker: str,
        service: AgentService,
        cluster: str,
        node: str,
        clock: Clock | None = None,
        answered_within_s: float = ANSWERED_WITHIN_S,
    ) -> None:
        self._bus = bus
        self._service: AgentService = service
        self._cluster = cluster
        self._node = node
        self._answered_within_s = answered_within_s
        locks = RecordedLocks(
            bus=bus,
            worker=worker,
            clock=clock or SystemClock(),
            agent=agent_keys(service, cluster, node),
        )
        self._kept: KeptRepositories[_Borrowed] = KeptRepositories(locks)

    @asynccontextmanager
    async def held(
        self, order: StepCommand, context: StepContext
    ) -> AsyncIterator[LockedRepository]:
        """Hold the repository of an order while the block runs, together with others.

        Orders that come while it is held share it; nothing of it is kept afterwards.

        Raises:
            DeniedError: the key is not lent to us.
            UnavailableError: it cannot be lent now, or nobody answers who could.
            RepositoryLockedError: somebody holds the repository alone.
        """
        async with context.waiting():
            key = _Borrowed(await self.borrowed(order))

        async def opening() -> tuple[Repository, _Borrowed]:
            return await asyncio.to_thread(open_repository, key), key

        async with self._kept.locked((order.vault, order.app_id), opening) as (held, _):
            yield held

    async def borrowed(self, order: StepCommand) -> RepositoryAccess:
        """Ask for what opens the repository of an order; raises as `held`."""
        private_key = PrivateKey.generate()
        asked = BorrowKey(
            app=order.app,
            service=self._service,
            node=self._node,
            request_id=secrets.token_hex(16),
            run=order.run,
            step=order.step,
            attempt=order.attempt,
            epoch=order.epoch,
            app_id=order.app_id,
            vault=order.vault,
            public_key=bytes(private_key.public_key),
        )
        answer = await self._answer(asked)
        if isinstance(answer, KeyNotLent):
            failure = answer.failure
            kind = UnavailableError if answer.again else DeniedError
            raise kind(failure.what, why=failure.why, next_step=failure.next_step)
        return opened_loan(answer.sealed, request_id=asked.request_id, private_key=private_key)

    async def _answer(self, asked: BorrowKey) -> KeyLent | KeyNotLent:
        """Ask until somebody answers: what is told, either way, may be lost."""
        answered: asyncio.Future[KeyLent | KeyNotLent] = asyncio.get_running_loop().create_future()

        async def hear(message: Message, _: str) -> None:
            if not isinstance(message, KeyLent | KeyNotLent) or answered.done():
                return
            if message.request_id == asked.request_id:
                answered.set_result(message)

        where = subjects.lent(self._service, self._cluster, self._node)
        try:
            async with self._bus.listen(where, hear), asyncio.timeout(self._answered_within_s):
                while not answered.done():
                    await self._bus.tell(asked.subject(), asked)
                    await asyncio.wait({answered}, timeout=_ASK_EVERY_S)
                return answered.result()
        except TimeoutError as error:
            raise UnavailableError(
                f"nobody lends the key of {asked.app_id} in Vault {asked.vault}",
                why=f"no {self._service} has answered within {self._answered_within_s:g} s",
                next_step=f"See that a {self._service} runs that may read the Vault's Secrets; "
                "the step is tried again.",
            ) from error
