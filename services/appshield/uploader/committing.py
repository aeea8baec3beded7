"""Make a version exist: join the trees, seal the snapshot document, put it where it counts.

committed before?         answer (by the record of the run, else by the tag in the repository)
all stored blobs there?   else tell which sources were lost
join, seal, write ahead   the first sealed document wins; every retry writes its very bytes
number promised           before it is believed
lock still ours?          then the document goes into the repository: the version exists
"""

import asyncio
import io
from functools import partial

import msgspec

from appshield.bus import Bus, KeyExistsError
from appshield.capture.layout import VERSION_FILE, app_tag, run_tag, version_tag
from appshield.contracts.agents import CommitRecord
from appshield.contracts.backups import BackupStored, CommitBackup, SourcesLost, VersionFacts
from appshield.contracts.message import StepCommand
from appshield.contracts.streams import COMMITS
from appshield.custody import Custody, HeldRepository
from appshield.repository import (
    Reader,
    Repository,
    SealedSnapshot,
    SnapshotDocument,
    Writer,
    missing_blobs,
    seal_snapshot,
)
from appshield.repository.nodes import Node
from appshield.service import Cancelled, run_blocking
from appshield.service.steps import StepContext, order_of, outcome


class Committing:
    """Commits backups; two that commit the same run at once make one version."""

    def __init__(self, *, bus: Bus, custody: Custody) -> None:
        self._commits = bus.bucket(COMMITS, CommitRecord)
        self._custody = custody

    async def commit(
        self, command: StepCommand, context: StepContext
    ) -> BackupStored | SourcesLost:
        """Make the version of this run exist, once, whoever asks and however often."""
        order = order_of(command, CommitBackup)
        async with self._custody.held(order.vault, order.app_id) as held:
            context.moved()
            sealed = await self._written_ahead(order)
            if sealed is None:
                found = await asyncio.to_thread(_committed, held.repository, order.run)
                if found:
                    return _stored(order, found)
                context.moved()
                lost = await run_blocking(partial(_lost, held, order.facts))
                if lost:
                    names = tuple(lost)
                    return outcome(SourcesLost, order, sources=names, why=lost[names[0]])
                context.moved()
                sealed = await self._write_ahead(order, held)
            context.moved()
            await asyncio.to_thread(held.shelf.raise_highest_version, order.facts.number)
            await context.ensure_wanted()
            await asyncio.to_thread(_publish, held, sealed)
        return _stored(order, sealed.snapshot_id)

    async def _written_ahead(self, order: CommitBackup) -> SealedSnapshot | None:
        entry = await self._commits.get(order.run)
        return _sealed(entry.value) if entry else None

    async def _write_ahead(self, order: CommitBackup, held: HeldRepository) -> SealedSnapshot:
        made = await run_blocking(partial(_seal, held, order.facts))
        record = CommitRecord(snapshot_id=made.snapshot_id, sealed=made.sealed)
        try:
            await self._commits.create(order.run, record)
        except KeyExistsError:
            first = await self._written_ahead(order)
            if first is None:
                raise
            return first
        return made


def _lost(held: HeldRepository, facts: VersionFacts, _: Cancelled) -> dict[str, str]:
    """Name the sources of which something is not in the repository (any more), and what."""
    lost = {}
    for source in facts.sources:
        missing = missing_blobs(held.repository, bytes.fromhex(source.tree))
        if missing:
            lost[source.name] = f"{len(missing)} blobs are missing, such as {missing[0]}"
    return lost


def _seal(held: HeldRepository, facts: VersionFacts, _: Cancelled) -> SealedSnapshot:
    reader = Reader(held.repository)
    with Writer(held.repository, held.lock) as writer:
        tree = _join(reader, writer, facts)
    document = SnapshotDocument(
        time=facts.cut_at,
        tree=tree.hex(),
        paths=(f"/{facts.app.namespace}/{facts.app.name}",),
        hostname=f"appshield-{facts.app.cluster}",
        tags=(app_tag(facts.app_id), version_tag(facts.number), run_tag(facts.run)),
        program_version="appshield",
    )
    return seal_snapshot(held.repository, document)


def _join(reader: Reader, writer: Writer, facts: VersionFacts) -> bytes:
    """Put the entries of every source's tree into the folder of its name; return the root."""
    folders: dict[str, list[Node]] = {"": []}
    for source in facts.sources:
        entries = folders.setdefault(source.name.rpartition("/")[0], [])
        entries += reader.read_tree(bytes.fromhex(source.tree))
    root = {node.name: node for node in folders.pop("")}
    for folder, entries in folders.items():
        root[folder.encode()] = _directory(folder, writer.add_tree(_ordered(entries)))
    folder, _, name = VERSION_FILE.partition("/")
    about = root.get(folder.encode())
    beside = reader.read_tree(about.subtree) if about and about.subtree else ()
    entries = [*beside, _document(name, msgspec.json.encode(facts), writer)]
    root[folder.encode()] = _directory(folder, writer.add_tree(_ordered(entries)))
    return writer.add_tree(_ordered(list(root.values())))


def _document(name: str, content: bytes, writer: Writer) -> Node:
    blobs, size_bytes = writer.add_file(io.BytesIO(content).read)
    return Node(
        name=name.encode(),
        kind="file",
        mode=0o600,
        mtime_ns=0,
        atime_ns=0,
        ctime_ns=0,
        uid=0,
        gid=0,
        size_bytes=size_bytes,
        content=blobs,
    )


def _directory(name: str, subtree: bytes) -> Node:
    return Node(
        name=name.encode(),
        kind="dir",
        mode=0o700,
        mtime_ns=0,
        atime_ns=0,
        ctime_ns=0,
        uid=0,
        gid=0,
        subtree=subtree,
    )


def _ordered(nodes: list[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: node.name)


def _publish(held: HeldRepository, sealed: SealedSnapshot) -> None:
    held.lock.ensure_held()
    held.repository.publish_snapshot(sealed)


def _committed(repository: Repository, run: str) -> str:
    found = repository.snapshots_with_tag(run_tag(run))
    return found[0][0] if found else ""


def _sealed(record: CommitRecord) -> SealedSnapshot:
    return SealedSnapshot(snapshot_id=record.snapshot_id, sealed=record.sealed)


def _stored(order: CommitBackup, snapshot_id: str) -> BackupStored:
    return outcome(
        BackupStored, order, facts=order.facts, snapshot_id=snapshot_id, vault=order.vault
    )
