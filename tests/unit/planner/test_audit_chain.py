"""The one writer of the audit: everything once, in one chain, whatever happens to planners."""

import asyncio
import contextlib
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.audit import lines_of, read_entry, verify
from appshield.bus import BusFullError, Receipt, Retry
from appshield.contracts import encode, streams
from appshield.contracts.audit import AuditAnchor, AuditEntry, AuditEvent
from appshield.contracts.gates import GateOverridden
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup
from appshield.contracts.subjects import AUDITED, audit
from appshield.errors import UnavailableError
from appshield.planner import audit_chain
from appshield.planner.audit_chain import AuditChain
from appshield.planner.leading import Leadership
from audit_events import APP, AT, event
from memory_bus import MemoryBus
from planner_world import BusClock

NOTHING: Any = type("Nothing", (), {"segments": (), "vaults": frozenset()})()


class Lossy:
    """A bus that stores and says that it did not, or does not store, as it is told."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.fails = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def append(self, subject: str, body: bytes, *, after_sequence: int) -> Receipt:
        await asyncio.sleep(0)
        if self.fails == "before":
            raise UnavailableError("the bus is away")
        receipt = await self._bus.append(subject, body, after_sequence=after_sequence)
        if self.fails == "after":
            raise UnavailableError("the bus did not answer")
        return receipt


async def planner(bus: Any) -> AuditChain:
    """Let a planner take over."""
    await bus.bucket(streams.LEASES, str).delete("planner")
    leadership = Leadership(bus, "planner")
    await leadership.acquire(asyncio.Event())
    return AuditChain(bus, leadership, BusClock(bus))


async def entries(bus: MemoryBus) -> list[AuditEntry]:
    """Read the audit, which is whole."""
    report = await verify(lines_of(bus), NOTHING)
    assert report.ok, report.findings
    return [read_entry(line) async for line in lines_of(bus)]


async def ids(bus: MemoryBus) -> list[str]:
    return [entry.event.id for entry in await entries(bus)]


async def test_what_is_told_is_recorded_in_order_under_growing_numbers() -> None:
    """And each entry names the one before."""
    bus = MemoryBus()
    chain = await planner(bus)
    for number in range(3):
        await chain.record(event(f"e{number}"))
    assert await ids(bus) == ["e0", "e1", "e2"]
    assert [entry.sequence for entry in await entries(bus)] == [1, 2, 3]


async def test_what_waits_at_one_moment_is_one_message() -> None:
    """A thousand entries do not wait for the disk a thousand times."""
    bus = MemoryBus()
    chain = await planner(Lossy(bus))
    await asyncio.gather(*(chain.record(event(f"e{number}")) for number in range(600)))
    assert len(await ids(bus)) == 600
    assert len(bus.stored(streams.AUDIT)) <= 4


async def test_what_is_told_again_is_recorded_once_also_by_another_planner() -> None:
    """A restart forgets nothing that may come again."""
    bus = MemoryBus()
    first = await planner(bus)
    await asyncio.gather(*(first.record(event("same")) for _ in range(3)))
    second = await planner(bus)
    await second.record(event("same"))
    await second.record(event("other"))
    assert await ids(bus) == ["same", "other"]


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_write_in_doubt_is_looked_up(fails: str) -> None:
    """Stored or not, what is told again is in the audit once."""
    bus = MemoryBus()
    lossy = Lossy(bus)
    chain = await planner(lossy)
    await chain.record(event("one"))
    lossy.fails = fails
    with pytest.raises(UnavailableError):
        await chain.record(event("two"))
    lossy.fails = ""
    await chain.record(event("two"))
    await chain.record(event("three"))
    assert await ids(bus) == ["one", "two", "three"]


async def test_two_planners_do_not_fork_the_chain() -> None:
    """One that was stopped and wakes up writes nothing beside what the other has written."""
    bus = MemoryBus()
    frozen = await planner(bus)
    await frozen.record(event("one"))
    other = await planner(bus)
    await other.record(event("two"))
    with pytest.raises(Retry, match="another planner"):
        await frozen.record(event("three"))
    await other.record(event("four"))
    assert await ids(bus) == ["one", "two", "four"]


async def test_who_does_not_lead_writes_nothing() -> None:
    """Its lease is over by its own clock."""
    bus = MemoryBus()
    leadership = Leadership(bus, "planner")
    chain = AuditChain(bus, leadership, BusClock(bus))
    with pytest.raises(Retry):
        await chain.record(event("one"))
    assert bus.stored(streams.AUDIT) == []


async def told_by(bus: MemoryBus, teller: str, message: Message) -> None:
    await bus.publish_raw(audit(teller), encode(message), message_id=message.message_id())


async def test_nobody_speaks_for_another_user_of_the_bus() -> None:
    """Who tells is who may publish there; only the uploader is believed about anchors."""
    bus = MemoryBus()
    chain = await planner(bus)
    anchor = AuditAnchor(vault="v", chain="c", first=1, last=9, digest="0", stored_to=9)
    await told_by(bus, "person", event("forged", teller="uploader", anchor=anchor))
    await told_by(bus, "uploader", event("real", teller="uploader", anchor=anchor))
    await bus.deliver(streams.PLANNER_AUDIT, chain.handle)
    found = [(entry.event.teller, entry.event.anchor) for entry in await entries(bus)]
    assert found == [("person", None), ("uploader", anchor)]


async def test_nobody_takes_the_place_of_what_another_will_tell() -> None:
    """The same name from another user of the bus is something else."""
    bus = MemoryBus()
    chain = await planner(bus)
    await told_by(bus, "person", event("f-1.succeeded", outcome="failed"))
    await bus.deliver(streams.PLANNER_AUDIT, chain.handle)
    for one in (chain, await planner(bus)):
        await one.record(event("f-1.succeeded", outcome="succeeded"))
    found = [(entry.event.teller, entry.event.outcome) for entry in await entries(bus)]
    assert found == [("person", "failed"), ("planner", "succeeded")]


async def test_what_is_not_there_is_not_archived() -> None:
    """Who archives cannot make the planner drop what nobody has."""
    bus = MemoryBus()
    chain = await planner(bus)
    await chain.record(event("one"))
    await chain.record(archived(chain, last=2, stored_to=1))
    await chain.record(archived(chain, last=1, stored_to=900))
    for one in (chain, await planner(bus)):
        await one.learn()
        assert one.anchor is None


async def test_broken_glass_is_an_entry() -> None:
    """With who, what and why."""
    bus = MemoryBus()
    chain = await planner(bus)
    fact = GateOverridden(
        app=APP,
        admission="a1",
        operation="rollout",
        about="Deployment shop/web",
        actor="anna",
        reason="incident 17",
        at=AT,
    )
    await bus.publish(fact)
    await bus.deliver(streams.PLANNER_AUDIT, chain.handle)
    (entry,) = await entries(bus)
    assert (entry.event.actor, entry.event.action, entry.event.door, entry.event.cause) == (
        "anna",
        "break-glass",
        "gate",
        "incident 17",
    )


@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
async def test_broken_glass_that_is_found_afterwards_is_no_second_entry(*, together: bool) -> None:
    """Of the same change, also by the next planner; what the gate did not tell is one."""
    bus = MemoryBus()
    first = event("first")
    told = replace(event("a"), teller="gate", action="break-glass", request_id="uid.2")
    found = replace(told, id="b", teller="watcher")
    unseen = replace(found, id="c", request_id="uid.3")
    chain = await planner(bus)
    if together:
        await asyncio.gather(*map(chain.record, (first, told, found, unseen)))
    else:
        await chain.record(first)
        await chain.record(told)
        chain = await planner(bus)
        for one in (found, unseen):
            await chain.record(one)
    assert {entry.event.id for entry in await entries(bus)} == {"first", "a", "c"}
    pretended = replace(told, id="d", teller="person", request_id="uid.4")
    await chain.record(pretended)
    await chain.record(replace(found, id="e", request_id="uid.4"))
    assert {entry.event.id for entry in await entries(bus)} == {"first", "a", "c", "d", "e"}


async def test_what_is_nothing_for_the_audit_is_parked() -> None:
    """It does not stand in the way of the rest."""
    bus = MemoryBus()
    chain = await planner(bus)
    await told_by(bus, "person", RequestBackup(app=APP, request_id="r"))
    await told_by(bus, "person", event("one"))
    await bus.deliver(streams.PLANNER_AUDIT, chain.handle)
    assert await ids(bus) == ["one"]
    assert len(bus.stored(streams.DEAD)) == 1


async def test_the_audit_goes_on_behind_a_line_that_somebody_broke() -> None:
    """It stays, named by the next one, and verifying finds it."""
    bus = MemoryBus()
    chain = await planner(bus)
    await chain.record(event("one"))
    await bus.append(AUDITED, b"rubbish", after_sequence=1)
    chain = await planner(bus)
    await chain.record(event("two"))
    report = await verify(lines_of(bus), NOTHING)
    assert [finding.what for finding in report.findings] == ["entry 2 cannot be read"]


def archived(chain: AuditChain, last: int, stored_to: int) -> AuditEvent:
    anchor = AuditAnchor(
        vault="primary",
        chain=chain.head.chain,
        first=1,
        last=last,
        digest=chain.head.digest,
        stored_to=stored_to,
    )
    return event(f"a{last}", teller="uploader", action=audit_chain.ARCHIVE, anchor=anchor)


async def test_what_is_not_archived_is_known_also_after_a_restart() -> None:
    """The audit itself says up to where it is archived; its own upkeep does not count."""
    bus = MemoryBus()
    chain = await planner(bus)
    await chain.record(event("one"))
    await chain.record(event("two"))
    assert chain.unarchived.entries == 2
    await chain.record(archived(chain, last=2, stored_to=2))
    for one in (chain, await planner(bus)):
        await one.learn()
        assert (one.unarchived.entries, one.unarchived.since) == (0, None)
        assert one.anchor is not None
    chain = await planner(bus)
    await chain.record(event("three"))
    assert chain.unarchived.entries > 0


async def test_a_full_audit_drops_what_is_archived_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not archived is never dropped: then nothing more is taken."""
    monkeypatch.setattr(audit_chain, "REMEMBERED", 2)
    bus = MemoryBus()
    await bus.ensure_stream(replace(streams.AUDIT, bytes_max=6_000))
    chain = await planner(bus)
    written = 0
    with contextlib.suppress(BusFullError):
        while written < 100:
            await chain.record(event(f"e{written}"))
            written += 1
    assert chain.refusal
    await bus.ensure_stream(replace(streams.AUDIT, bytes_max=6_700))
    await chain.record(archived(chain, last=written, stored_to=written))
    await bus.ensure_stream(replace(streams.AUDIT, bytes_max=6_000))
    await chain.record(event("after"))
    assert not chain.refusal
    kept = [read_entry(line).event.id async for line in lines_of(bus)]
    assert kept[-2:] == [f"a{written}", "after"]
    assert len(kept) < written
