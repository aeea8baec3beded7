"""Archiving the audit in a real bucket, and what verifying says when somebody is at work there."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from appshield.audit import Report, lines_of, verify
from appshield.audit.finding import VaultArchive
from appshield.contracts import streams
from appshield.contracts.audit import AuditEvent
from appshield.contracts.subjects import AUDITED
from appshield.custody import Custody
from appshield.errors import UnavailableError
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import ObjectRetainedError, S3Location
from appshield.objectstore.bucket import ensure_bucket
from appshield.planner.audit_anchoring import Anchoring, Place
from appshield.planner.audit_chain import AuditChain
from appshield.planner.leading import Leadership
from appshield.uploader.audit_archiving import AuditArchiving
from appshield.vault import Vault, VaultAccess, new_root_key, open_vault, vault_retention
from appshield.vault.vault import store_of
from audit_events import event
from memory_bus import MemoryBus
from planner_world import BusClock
from waiting import wait_until

EVERY_ENTRIES = 3


class House:
    """A planner with its audit, an uploader, and two Vaults, of which one can be away."""

    def __init__(self, bus: MemoryBus, accesses: dict[str, VaultAccess]) -> None:
        self.bus = bus
        self.accesses = accesses
        self.vaults = {name: open_vault(access) for name, access in accesses.items()}
        self.away: set[str] = set()
        for vault in self.vaults.values():
            vault.initialize()
        self.clock = BusClock(bus)
        custody = Custody(bus=bus, vaults=self, worker="w")
        self.archiving = AuditArchiving(bus=bus, custody=custody, worker="w", clock=self.clock)

    async def open(self, name: str) -> Vault:
        if name in self.away:
            raise UnavailableError(f"Vault {name} is away")
        return self.vaults[name]

    async def lead(self) -> None:
        """Let a planner take over."""
        await self.bus.bucket(streams.LEASES, str).delete("planner")
        leadership = Leadership(self.bus, "planner")
        await leadership.acquire(asyncio.Event())
        self.chain = AuditChain(self.bus, leadership, self.clock)
        self.anchoring = Anchoring(
            bus=self.bus,
            chain=self.chain,
            places=lambda: [Place("test", name) for name in self.vaults],
            clock=self.clock,
            every=timedelta(days=1),
            entries=EVERY_ENTRIES,
        )

    async def record(self, *identities: str) -> None:
        for identity in identities:
            await self.chain.record(event(identity))

    async def work(self) -> None:
        """Let the planner look, the uploader do, and the planner take in what it says."""
        await self.anchoring.look()
        await self.bus.deliver(streams.UPLOADER_AUDIT, self.archiving.handle)
        await self.bus.deliver(streams.PLANNER_AUDIT, self.chain.handle)

    async def verified(self) -> Report:
        archive = await VaultArchive.listed(list(self.vaults.values()))
        return await verify(lines_of(self.bus), archive)

    def names(self, vault: str = "primary") -> list[str]:
        store = store_of(self.accesses[vault])
        return sorted(found.name for found in store.list("audit"))

    def told(self) -> list[AuditEvent]:
        return [
            one for one in self.bus.published(streams.OBSERVATIONS) if isinstance(one, AuditEvent)
        ]


@pytest.fixture
async def house(s3_server: EmbeddedObjectStore, s3_folder: S3Location) -> House:
    accesses = {
        name: VaultAccess(
            name=name,
            location=replace(s3_folder, prefix=f"{s3_folder.prefix}{name}/"),
            credentials=s3_server.credentials,
            root_key=new_root_key(),
        )
        for name in ("primary", "second")
    }
    made = House(MemoryBus("planner"), accesses)
    await made.lead()
    return made


async def test_what_was_done_is_archived_and_the_archive_fixes_it(house: House) -> None:
    """Stretch after stretch, each once; nothing is archived when nothing was done."""
    await house.record("e1", "e2", "e3")
    for _ in range(3):
        await house.work()
    report = await house.verified()
    assert (report.ok, report.archived_to, len(house.names())) == (True, 3, 1)
    await house.record("e4", "e5", "e6")
    await house.lead()
    await house.work()
    report = await house.verified()
    assert report.ok, report.findings
    assert (report.archived_to, len(house.names())) == (7, 2)
    assert report.last == 8


async def test_what_is_archived_can_be_trimmed_and_is_verified_all_the_same(house: House) -> None:
    """The stream goes on where the archive ends."""
    await house.record("e1", "e2", "e3", "e4")
    await house.work()
    assert house.chain.anchor is not None
    await house.bus.trim(streams.AUDIT, below_sequence=house.chain.anchor.stored_to)
    report = await house.verified()
    assert (report.ok, report.first, report.last) == (True, 4, 5)


async def test_an_order_that_comes_again_finds_its_object(house: House) -> None:
    """Also when the first one was done and nobody heard of it."""
    await house.record("e1", "e2", "e3")
    await house.anchoring.look()
    await house.bus.deliver(streams.UPLOADER_AUDIT, house.archiving.handle)
    house.bus.forget_duplicates()
    await house.bus.redeliver(streams.UPLOADER_AUDIT, house.archiving.handle)
    await house.bus.deliver(streams.PLANNER_AUDIT, house.chain.handle)
    assert (await house.verified()).ok
    assert len(house.names()) == 1


async def test_where_a_vault_fails_the_next_one_is_asked(house: House) -> None:
    """And the audit says that it failed, and why."""
    house.away = {"primary"}
    await house.record("e1", "e2", "e3")
    await house.work()
    await house.bus.pass_time(600)
    await house.work()
    report = await house.verified()
    assert (report.ok, report.archived_to) == (True, 4)
    assert (house.names("primary"), len(house.names("second"))) == ([], 1)
    lines = b"".join([line async for line in lines_of(house.bus)])
    assert b"Vault primary is away" in lines


async def test_an_archive_that_somebody_removed_is_missed(house: House) -> None:
    """By the word of the audit itself."""
    await house.record("e1", "e2", "e3")
    await house.work()
    store_of(house.accesses["primary"]).delete(house.names()[0])
    (finding,) = (await house.verified()).findings
    assert finding.what.endswith("in Vault primary is gone")


async def test_an_archive_that_somebody_wrote_over_is_found(house: House) -> None:
    """Its seal is broken, or is that of another object."""
    await house.record("e1", "e2", "e3")
    await house.work()
    await house.record("e4", "e5", "e6")
    await house.work()
    store, (first, second) = store_of(house.accesses["primary"]), house.names()
    before = store.get(first)
    for content in (b"rubbish", store.get(second)):
        store.put(first, content)
        whats = [finding.what for finding in (await house.verified()).findings]
        assert any("seal" in what for what in whats), whats
    store.put(first, before)
    assert (await house.verified()).ok


async def test_a_stream_that_was_written_anew_is_found_and_not_archived(house: House) -> None:
    """The uploader sees that it does not follow, and says so; verifying names the entries."""
    await house.record("e1", "e2", "e3")
    await house.work()
    forged = [line.replace(b'"e2"', b'"x2"') async for line in lines_of(house.bus)]
    await house.bus.trim(streams.AUDIT, below_sequence=1_000)
    await house.bus.append(AUDITED, b"\n".join(forged), after_sequence=0)
    await house.lead()
    await house.record("e4", "e5", "e6")
    report = await house.verified()
    assert any("entry 2 was written anew" in finding.what for finding in report.findings)


async def test_a_stream_whose_end_was_cut_off_is_found_by_its_archive(house: House) -> None:
    """What is left is whole in itself; only the Vault knows that there was more."""
    await house.record("e1", "e2", "e3")
    await house.work()
    kept = [line async for line in lines_of(house.bus)][:2]
    await house.bus.trim(streams.AUDIT, below_sequence=1_000)
    await house.bus.append(AUDITED, b"\n".join(kept), after_sequence=0)
    assert (await verify(lines_of(house.bus), await VaultArchive.listed([]))).ok
    report = await house.verified()
    whats = [finding.what for finding in report.findings]
    assert whats == ["entry 3 is archived, and gone from the end of the stream"]


async def test_a_chain_that_does_not_follow_its_archive_is_told_within_the_hour(
    house: House,
) -> None:
    """As an entry of the audit: the order failed, and why."""
    await house.record("e1", "e2", "e3")
    await house.work()
    newest = await house.bus.newest(streams.AUDIT, AUDITED)
    assert newest is not None
    await house.bus.append(AUDITED, b'{"no": "entry"}', after_sequence=newest.sequence)
    await house.lead()
    await house.record("e4", "e5", "e6")
    await house.work()
    lines = b"".join([line async for line in lines_of(house.bus)])
    assert b"the audit is broken at entry" in lines


async def test_the_archive_is_kept_where_the_vault_keeps_objects(
    s3_server: EmbeddedObjectStore, s3_bucket: S3Location
) -> None:
    """Object lock covers it: nobody removes an anchor before its time."""
    location = replace(s3_bucket, bucket=f"{s3_bucket.bucket}-kept")
    await ensure_bucket(location, s3_server.credentials, object_lock=True)
    access = VaultAccess(
        name="primary",
        location=location,
        credentials=s3_server.credentials,
        root_key=new_root_key(),
        retention=vault_retention("governance", 1 / 24 / 3600 * 4),
    )
    vault = open_vault(access)
    vault.initialize()
    await asyncio.to_thread(vault.audit().write, "c0ffee", 1, 3, b"content")
    store, (name,) = store_of(access), ["audit/c0ffee/000000000001-000000000003"]

    async def is_gone() -> bool:
        try:
            await asyncio.to_thread(store.delete, name)
        except ObjectRetainedError:
            return False
        return True

    assert not await is_gone()
    assert vault.audit().read("c0ffee", 1, 3) == b"content"
    await wait_until(is_gone, deadline_s=30, what="its time is over")
