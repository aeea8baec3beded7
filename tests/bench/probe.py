"""A Deployment that is changed until a rule for its application has a consequence."""

import asyncio
from typing import Final

from appshield.contracts import decode, subjects
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import OUTCOMES
from appshield.kubernetes import BusyError
from appshield.kubernetes.kinds import DEPLOYMENT
from appshield.kubernetes.requests import Call
from installation import Installation
from waiting import wait_until

DEADLINE_S: Final = 120.0
TRY_EVERY_S: Final = 0.05


class Probe:
    """A Deployment of one application, which is changed until that has a consequence."""

    def __init__(self, installation: Installation, app: AppRef, rule: str) -> None:
        self._installation = installation
        self._app = app
        self._rule = rule
        self._changed = 0

    async def told(self) -> None:
        """Change it until the watcher tells of a change."""
        telling = asyncio.create_task(self._until_told())
        async with asyncio.timeout(DEADLINE_S):
            while not telling.done():
                await self._roll_out(dry_run=False)
                await asyncio.wait({telling}, timeout=TRY_EVERY_S)
        await telling

    async def refused(self) -> None:
        """Try to change it until the API server refuses that."""
        await wait_until(
            self._is_refused, deadline_s=DEADLINE_S, what="the gate", every_s=TRY_EVERY_S
        )

    async def until_quiet(self, kind: str) -> None:
        """Wait until the policy has gone that was measured, for the next one."""

        async def without_rule() -> bool:
            record = await self._installation.known(self._app)
            return all(rule.name != self._rule for rule in record.protections)

        await wait_until(without_rule, deadline_s=DEADLINE_S, what="the rule is gone", every_s=0.5)
        if kind == "gate":

            async def let_pass() -> bool:
                return not await self._is_refused()

            await wait_until(let_pass, deadline_s=DEADLINE_S, what="no gate", every_s=0.5)

    async def _until_told(self) -> None:
        subject = subjects.event(ChangeMatched.noun, ChangeMatched.verb, self._app)
        bus = self._installation.bus
        async for stored in bus.read(OUTCOMES, filters=(subject,), since="new", follow=True):
            message = decode(stored.body)
            if isinstance(message, ChangeMatched) and message.protection == self._rule:
                return

    async def _is_refused(self) -> bool:
        try:
            await self._roll_out(dry_run=True)
        except BusyError:
            return True
        return False

    async def _roll_out(self, *, dry_run: bool) -> None:
        self._changed += 1
        environment = [{"name": "NUMBER", "value": f"{self._rule}-{self._changed}"}]
        containers = [{"name": "main", "env": environment}]
        await self._installation.cluster.requests.send(
            Call(
                method="PATCH",
                path=DEPLOYMENT.path(self._app.namespace, "web"),
                doing="roll out",
                query=(("dryRun", "All"),) if dry_run else (),
                body={"spec": {"template": {"spec": {"containers": containers}}}},
                content_type="application/strategic-merge-patch+json",
                attempts=1,
            )
        )
