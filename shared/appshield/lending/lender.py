"""Lends keys to agents, and refuses what the planner has not given them to do."""

import asyncio
from typing import Protocol

import structlog

from appshield.bus import Bus
from appshield.contracts import subjects
from appshield.contracts.agents import AgentService, agent_user
from appshield.contracts.audit import AuditEvent
from appshield.contracts.lending import BorrowKey, KeyLent, KeyNotLent
from appshield.contracts.message import Message
from appshield.contracts.runs import Failure, Run
from appshield.contracts.streams import RUNS
from appshield.errors import AppShieldError, UnavailableError
from appshield.lending.deciding import refusal
from appshield.lending.sealing import sealed_loan
from appshield.service import Clock, SystemClock
from appshield.vault import RepositoryAccess

_AT_ONCE_MAX = 32
"""More requests in hand than this are not taken: who asked asks again."""


class RepositoryKeys(Protocol):
    """Knows what opens the repositories of Vaults."""

    async def repository_access(self, vault: str, app_id: str) -> RepositoryAccess:
        """Return what opens one repository, with the credentials that agents are to have."""
        ...


class Lender:
    """Lends keys to the agents of one service."""

    def __init__(
        self, *, bus: Bus, keys: RepositoryKeys, service: AgentService, clock: Clock | None = None
    ) -> None:
        self._bus = bus
        self._keys = keys
        self._service = service
        self._clock = clock or SystemClock()
        self._runs = bus.bucket(RUNS, Run)
        self._in_hand: set[str] = set()

    async def serve(self, stopping: asyncio.Event) -> None:
        """Answer agents until told to stop."""
        async with asyncio.TaskGroup() as tasks:

            async def take(message: Message, subject: str) -> None:
                if not isinstance(message, BorrowKey) or message.subject() != subject:
                    return  # the server lets an agent ask on its own subject only
                if message.request_id in self._in_hand or len(self._in_hand) >= _AT_ONCE_MAX:
                    return
                self._in_hand.add(message.request_id)
                tasks.create_task(self._answer(message), name="lend a key")

            async with self._bus.listen(subjects.lend(self._service), take):
                await stopping.wait()

    async def _answer(self, asked: BorrowKey) -> None:
        try:
            answer = await self.answer(asked)
            await self._bus.tell(answer.subject(), answer)
        except Exception:  # noqa: BLE001 - whatever an agent asks, others are lent to
            structlog.get_logger().exception("a request for a key failed")
        finally:
            self._in_hand.discard(asked.request_id)

    async def answer(self, asked: BorrowKey) -> KeyLent | KeyNotLent:
        """Say what becomes of a request."""
        about = {name: getattr(asked, name) for name in ("app", "service", "node", "request_id")}
        log = structlog.get_logger().bind(run=asked.run, step=asked.step, node=asked.node)
        try:
            entry = await self._runs.get(asked.run)
            if why := refusal(entry.value if entry else None, asked):
                log.warning("key not lent", problem=why, app_id=asked.app_id)
                await self._tell_refused(asked, why)
                return KeyNotLent(**about, failure=_refused(asked, why))
            access = await self._keys.repository_access(asked.vault, asked.app_id)
            sealed = sealed_loan(access, request_id=asked.request_id, public_key=asked.public_key)
        except AppShieldError as error:
            log.warning("key not lent", problem=str(error))
            failure = Failure(what=error.what, why=error.why, next_step=error.next_step)
            return KeyNotLent(**about, failure=failure, again=isinstance(error, UnavailableError))
        return KeyLent(**about, sealed=sealed)

    async def _tell_refused(self, asked: BorrowKey, why: str) -> None:
        """Put a refusal on record: once a minute for each agent, so that none floods the audit."""
        now = self._clock.now()
        who = f"{agent_user(self._service)} of node {asked.node}"
        await self._bus.publish(
            AuditEvent(
                app=asked.app,
                id=f"lend.{self._service}.{asked.node}.{now:%Y%m%dT%H%M}",
                teller=self._service,
                at=now,
                action="lend-key",
                outcome="refused",
                door="appshield",
                actor=who,
                vault=asked.vault,
                object=asked.app_id,
                run=asked.run,
                reason=why,
            )
        )


def _refused(asked: BorrowKey, why: str) -> Failure:
    return Failure(
        what=f"the key of {asked.app_id} in Vault {asked.vault} is not lent to {asked.node}",
        why=why,
        next_step="Start the run again if it is still wanted.",
    )
