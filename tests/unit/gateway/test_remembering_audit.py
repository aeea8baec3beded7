"""The cluster remembers how far the audit goes; only what follows takes the place of that."""

from collections.abc import AsyncIterator

import pytest

from appshield.audit import GENESIS, Head, digest_of, lines_of, link, verify
from appshield.audit.remembering import Memory
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED
from appshield.errors import DamagedError
from appshield.gateway.remembering_audit import RememberingAudit
from appshield.kubernetes import Cluster
from audit_events import AT, event
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock
from memory_bus import MemoryBus

CHAIN = "c0ffee"
EMPTY = Head(chain=CHAIN, sequence=0, digest=GENESIS)


class NoArchive:
    """Nothing is archived yet."""

    segments = ()
    vaults: frozenset[str] = frozenset()

    async def read(self, segment: object) -> bytes:
        raise AssertionError(f"nothing is archived, and {segment} is read")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with FakeKubernetes() as fake, Cluster.connect(fake.access) as connected:
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}})
        yield connected


class Audit:
    """An audit that somebody writes, entry by entry, each a message."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.head = EMPTY

    async def write(self, count: int, *, by: str = "anna") -> None:
        for number in range(count):
            written = [event(f"{by}-{self.head.sequence}-{number}", actor=by)]
            [line], self.head = link(self.head, written, AT)
            newest = await self.bus.newest(AUDIT, AUDITED)
            after = newest.sequence if newest else 0
            await self.bus.append(AUDITED, line, after_sequence=after)

    async def cut(self, count: int) -> None:
        """Let the newest be gone, as whoever owns the server's disk can."""
        for stored in self.bus.stored(AUDIT)[-count:]:
            await self.bus.remove_message(AUDIT, stored.sequence)
        last = self.bus.stored(AUDIT)[-1]
        self.head = Head(
            chain=CHAIN, sequence=self.head.sequence - count, digest=digest_of(last.body)
        )


def remembering(audit: Audit, cluster: Cluster) -> RememberingAudit:
    return RememberingAudit(audit.bus, cluster, FixedClock(AT))


async def remembered_to(cluster: Cluster) -> int:
    return (await Memory.of(cluster)).newest[CHAIN].head.sequence


async def test_the_newest_entry_is_remembered_whoever_looks(cluster: Cluster) -> None:
    """Of many that came one write; another gateway goes on where the first one ended."""
    audit = Audit()
    first = remembering(audit, cluster)
    await first.look()
    assert (await Memory.of(cluster)).heads == ()
    await audit.write(3)
    await first.look()
    assert (await Memory.of(cluster)).heads == (audit.head,)
    await audit.write(4)
    await remembering(audit, cluster).look()
    await first.look()
    assert await remembered_to(cluster) == 7
    await audit.bus.trim(AUDIT, below_sequence=8)  # all of that is archived
    await audit.write(1)
    await first.look()
    assert await remembered_to(cluster) == 8


@pytest.mark.parametrize("anew", [0, 2, 5])
async def test_a_cut_end_is_not_forgotten_whatever_is_written_in_its_place(
    cluster: Cluster, anew: int
) -> None:
    """Fewer entries, as many, or more: what is remembered stays, and verifying names it."""
    audit = Audit()
    await audit.write(6)
    looking = remembering(audit, cluster)
    await looking.look()
    await audit.cut(2)
    await audit.write(anew, by="eve")
    with pytest.raises(DamagedError, match="does not go on after entry 6"):
        await looking.look()
    assert await remembered_to(cluster) == 6
    memory = await Memory.of(cluster)
    report = await verify(lines_of(audit.bus), NoArchive(), remembered=memory.heads)
    assert report.findings_total == 1
    assert report.findings[0].last == 6
