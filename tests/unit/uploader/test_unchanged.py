"""A commit that is asked to make a version only if something changed, over real repositories."""

import asyncio
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    SourcesLost,
    VersionFacts,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.sources import StoredSource
from appshield.custody import Custody
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Node, Writer
from appshield.repository.files import store_documents
from appshield.repository.nodes import BlobSink
from appshield.uploader.committing import Committing
from appshield.vault import Vault
from memory_bus import MemoryBus
from repository_content import directory_node, file_node
from wanted_step import WantedStep

APP = AppRef(cluster="test", namespace="shop", name="shop")
APP_ID = "a-1"
CUT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 13, tzinfo=UTC)
FILES = {b"own": b"one", b"other": b"two"}


class Place:
    """One application in one Vault."""

    def __init__(self) -> None:
        self.bus = MemoryBus("uploader")
        self.store = MemoryObjectStore()
        self.vault = Vault(self.store, bytes(32), "main")
        self.vault.initialize()
        self.custody = Custody(bus=self.bus, vaults=self, worker="w")

    async def open(self, name: str) -> Vault:
        return self.vault

    async def stored(
        self, changed: Mapping[bytes, bytes] = FILES, *, at: int = 1
    ) -> tuple[StoredSource, ...]:
        """Store manifests, a volume and a dump; `at` is in what a restore cannot bring back."""
        files = {**FILES, **changed}
        async with self.custody.held("main", APP_ID, create=True) as held:
            with Writer(held.repository, held.lock) as writer:
                manifests = {"manifests/secret/a.json": b"{}"}
                trees = {
                    "manifests": store_documents(manifests, writer, mtime_ns=0),
                    "volumes/data": writer.add_tree([_volume(writer, files, at)]),
                    "dumps/db": writer.add_tree([_dump(writer, at)]),
                }
        kinds = {"manifests": "manifests", "volumes/data": "volume/snapshot", "dumps/db": "dump"}
        return tuple(
            StoredSource(name=name, kind=kinds[name], tree=tree.hex())
            for name, tree in trees.items()
        )

    async def commit(
        self, number: int, sources: tuple[StoredSource, ...], newest: str = "", **said: Any
    ) -> BackupStored | BackupUnchanged | SourcesLost:
        """Commit a run as an uploader does."""
        facts = VersionFacts(
            app=APP,
            app_id=APP_ID,
            uid="uid-1",
            number=number,
            run=f"b-{number}",
            revision="r1",
            consistency="crash-group",
            cut_at=CUT_AT if number == 1 else LATER,
            trigger="rpo",
            sources=sources,
        )
        order = CommitBackup(
            app=APP,
            run=f"b-{number}",
            step="commit",
            attempt=1,
            epoch=1,
            app_id=APP_ID,
            vault="main",
            facts=replace(facts, **said),
            newest_snapshot_id=newest,
        )
        return await Committing(bus=self.bus, custody=self.custody).commit(order, WantedStep())

    async def snapshots(self) -> list[str]:
        async with self.custody.held("main", APP_ID) as held:
            found = await asyncio.to_thread(held.repository.snapshots)
        return [identity for identity, _ in found]


def _volume(writer: BlobSink, files: dict[bytes, bytes], at: int) -> Node:
    nodes = [
        replace(
            file_node(name, *writer.add_file(io.BytesIO(content).readinto)), inode=at, ctime_ns=at
        )
        for name, content in sorted(files.items())
    ]
    root = directory_node(b"data", writer.add_tree(nodes))
    return replace(root, mtime_ns=at, ctime_ns=at, inode=at)


def _dump(writer: BlobSink, at: int) -> Node:
    node = file_node(b"db", *writer.add_file(io.BytesIO(b"insert").readinto))
    return replace(node, mtime_ns=at, ctime_ns=at)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
async def first(place: Place) -> str:
    """The snapshot of version 1."""
    made = await place.commit(1, await place.stored())
    assert isinstance(made, BackupStored)
    return made.snapshot_id


async def test_the_same_content_makes_no_version(place: Place, first: str) -> None:
    """The answer says which version holds it, as it stood when it was looked at."""
    found = await place.commit(2, await place.stored(), first)
    assert isinstance(found, BackupUnchanged)
    assert (found.number, found.snapshot_id, found.cut_at) == (1, first, LATER)
    assert await place.snapshots() == [first]


async def test_what_a_restore_cannot_bring_back_is_no_change(place: Place, first: str) -> None:
    """Other inodes, times of changed status and of folders, and when a dump was made."""
    sources = await place.stored(at=2)
    assert {one.tree for one in sources} != {one.tree for one in await place.stored()}
    assert isinstance(await place.commit(2, sources, first), BackupUnchanged)


async def test_without_a_version_to_compare_with_one_is_made(place: Place, first: str) -> None:
    """As somebody asked for it."""
    assert isinstance(await place.commit(2, await place.stored()), BackupStored)
    assert len(await place.snapshots()) == 2


@pytest.mark.parametrize("changed", [{b"own": b"else"}, {b"more": b""}], ids=["file", "new file"])
async def test_a_change_makes_a_version(
    place: Place, first: str, changed: dict[bytes, bytes]
) -> None:
    """However small."""
    assert isinstance(await place.commit(2, await place.stored(changed), first), BackupStored)


async def test_a_source_more_or_less_makes_a_version(place: Place, first: str) -> None:
    """A volume that is not there any more, and one that is new."""
    sources = await place.stored()
    made = await place.commit(2, sources[:2], first)
    assert isinstance(made, BackupStored)
    assert isinstance(await place.commit(3, sources, made.snapshot_id), BackupStored)


@pytest.mark.parametrize(
    "said", [{"consistency": "application"}, {"skipped": ("volume b: asked",)}], ids=str
)
async def test_a_version_that_is_worth_more_or_less_is_made(
    place: Place, first: str, said: dict[str, Any]
) -> None:
    """The same bytes cut otherwise are another point in time to go back to."""
    assert isinstance(await place.commit(2, await place.stored(), first, **said), BackupStored)


async def test_a_version_that_is_gone_meanwhile_is_made_again(place: Place, first: str) -> None:
    """Its number names nothing any more."""
    sources = await place.stored()
    async with place.custody.held("main", APP_ID) as held:
        held.repository.store.delete(f"snapshots/{first}")
    assert isinstance(await place.commit(2, sources, first), BackupStored)


async def test_a_version_that_has_lost_data_is_no_reason_to_make_none(
    place: Place, first: str
) -> None:
    """Packs that are gone are noticed, though trees are equal."""
    sources = await place.stored()
    for found in [*place.store.list("")]:
        if "/data/" in found.name:
            place.store.delete(found.name)
    assert isinstance(await place.commit(2, sources, first), SourcesLost)


async def test_a_commit_that_was_sealed_before_goes_on(place: Place, first: str) -> None:
    """One worker found a change; whoever comes next makes the very version that it sealed."""
    sources = await place.stored({b"own": b"else"})
    made = await place.commit(2, sources, first)
    assert isinstance(made, BackupStored)
    async with place.custody.held("main", APP_ID) as held:
        held.repository.store.delete(f"snapshots/{made.snapshot_id}")
    again = await place.commit(2, await place.stored(), first)
    assert isinstance(again, BackupStored)
    assert again.snapshot_id == made.snapshot_id


async def test_an_order_that_nobody_waits_for_tells_of_the_version_that_it_made(
    place: Place,
) -> None:
    """And of none where it has made none."""
    committing = Committing(bus=place.bus, custody=place.custody)
    order = CommitBackup(
        app=APP,
        run="b-1",
        step="commit",
        attempt=1,
        epoch=1,
        app_id=APP_ID,
        vault="main",
        facts=VersionFacts(
            app=APP,
            app_id=APP_ID,
            uid="uid-1",
            number=1,
            run="b-1",
            revision="r1",
            consistency="crash-group",
            cut_at=CUT_AT,
            trigger="manual",
        ),
    )
    assert await committing.made(order) is None
    sources = await place.stored()
    assert await committing.made(order) is None
    stored = await place.commit(1, sources)
    assert isinstance(stored, BackupStored)
    told = await committing.made(order)
    assert told is not None
    assert told.snapshot_id == stored.snapshot_id
