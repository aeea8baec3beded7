"""Archive the audit: read what is new of it from the bus, and keep it in a Vault.

What does not follow from what was archived before is not archived: the planner is told, and with
that the audit itself. The same order again finds its object, or one that holds less, and goes on.
"""

import asyncio
from collections.abc import Sequence

import structlog

from appshield.audit import Chain, Head, digest_of, lines_in, pack
from appshield.bus import Bus, Delivery, Reject
from appshield.contracts.audit import ArchiveAudit, AuditAnchor, AuditEvent, AuditOutcome
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED
from appshield.custody import Custody
from appshield.errors import AppShieldError, DamagedError
from appshield.service import Clock

ENTRIES_MAX = 5_000
"""So many entries go into one object; more are left to the next order."""
_TELLER = "uploader"


class AuditArchiving:
    """Archives the audit when it is told to."""

    def __init__(self, *, bus: Bus, custody: Custody, worker: str, clock: Clock) -> None:
        self._bus = bus
        self._custody = custody
        self._worker = worker
        self._clock = clock

    async def handle(self, delivery: Delivery) -> None:
        """Do what an order says, and tell the audit how it went; for the consume loop."""
        order = delivery.message
        if not isinstance(order, ArchiveAudit):
            raise Reject(f"not an order to archive the audit: {type(order).__name__}")
        try:
            anchor = await self._archive(order)
        except AppShieldError as error:
            structlog.get_logger().error("audit not archived", problem=str(error))
            await self._tell(order, "failed", reason=error.what)
            return
        if anchor is not None:
            await self._tell(order, "succeeded", anchor=anchor)

    async def _archive(self, order: ArchiveAudit) -> AuditAnchor | None:
        """Archive what there is after the order's beginning; None where nothing is.

        Raises:
            DamagedError: the audit does not go on where its archive ends.
        """
        lines, stored_to = await self._read(order)
        if not lines:
            return None
        first, last = order.after + 1, order.after + len(lines)
        vault = await self._custody.vault(order.vault)
        content = await asyncio.to_thread(pack, lines)
        await asyncio.to_thread(vault.audit().write, order.chain, first, last, content)
        return AuditAnchor(
            vault=order.vault,
            chain=order.chain,
            first=first,
            last=last,
            digest=digest_of(lines[-1]),
            stored_to=stored_to,
        )

    async def _read(self, order: ArchiveAudit) -> tuple[Sequence[bytes], int]:
        """Read whole messages, with lines that follow each other; return where they end."""
        before = Head(chain=order.chain)
        if order.after:
            before = Head(chain=order.chain, sequence=order.after, digest=order.after_digest)
        chain, lines, stored_to = Chain(before), list[bytes](), order.after_stored
        async for stored in self._bus.read(AUDIT, filters=(AUDITED,), since=order.after_stored + 1):
            for line in lines_in(stored):
                if (broken := chain.take(line)) is not None:
                    raise DamagedError(
                        f"the audit is broken at entry {broken.first}: {broken.kind}",
                        next_step="`appshield audit verify` says what is wrong.",
                    )
                lines.append(line)
            stored_to = stored.sequence
            if len(lines) >= ENTRIES_MAX:
                break
        return lines, stored_to

    async def _tell(
        self,
        order: ArchiveAudit,
        outcome: AuditOutcome,
        *,
        reason: str = "",
        anchor: AuditAnchor | None = None,
    ) -> None:
        entries = f"entries {anchor.first} to {anchor.last}" if anchor else ""
        await self._bus.publish(
            AuditEvent(
                app=order.app,
                id=f"{order.message_id()}.{outcome}",
                teller=_TELLER,
                at=self._clock.now(),
                action="archive-audit",
                outcome=outcome,
                door="appshield",
                actor=self._worker,
                vault=order.vault,
                object=entries,
                reason=reason,
                anchor=anchor,
            )
        )
