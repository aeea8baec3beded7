"""Make a version exist: join the trees, seal the snapshot document, put it where it counts.

committed before?         answer, by the tag in the repository
unchanged, if that counts? answer with the version that holds the same
sealed before, and whole? go on with those very bytes
all stored blobs there?   else tell which sources were lost
join, seal, write ahead   the first sealed document wins; every retry writes its very bytes
number promised           meanwhile, before it is believed
older packs kept on       as long as this version, where the Vault keeps objects (object lock)
lock still ours?          then the document goes into the repository: the version exists
"""

import asyncio
import io
from functools import partial

import msgspec

from appshield.bus import Bus
from appshield.capture.layout import VERSION_FILE, app_tag, run_tag, version_tag
from appshield.contracts.agents import CommitRecord
from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    SourcesLost,
    VersionFacts,
)
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.errors import NotFoundError, RunFailedError
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
from appshield.repository.retaining import retain_version
from appshield.repository.snapshots import check_sealed
from appshield.service import Cancelled, both, run_blocking
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.publishing import Publishing, sealed_in
from appshield.uploader.unchanged import same_version


class Committing:
    """Commits backups; two that commit the same run at once make one version."""

    def __init__(self, *, bus: Bus, custody: Custody) -> None:
        self._publishing = Publishing(bus)
        self._custody = custody

    async def commit(
        self, command: StepCommand, context: StepContext
    ) -> BackupStored | BackupUnchanged | SourcesLost:
        """Make the version of this run exist, once, whoever asks and however often."""
        order = order_of(command, CommitBackup)
        async with self._custody.held(order.vault, order.app_id) as held:
            context.moved()
            found = await asyncio.to_thread(_committed, held.repository, order.run)
            if found:
                return _stored(order, found)
            context.moved()
            if (unchanged := await self._unchanged(order, held, context)) is not None:
                return unchanged
            sealed, _ = await both(
                self._sealed(order, held, context),
                asyncio.to_thread(held.shelf.raise_highest_version, order.facts.number),
            )
            if isinstance(sealed, SourcesLost):
                return sealed
            context.moved()
            await run_blocking(partial(_retain, held, sealed, context))
            await context.ensure_wanted()
            done = _stored(order, sealed.snapshot_id)
            await self._publishing.make_exist(held, sealed, done)
        return done

    async def made(self, command: StepCommand) -> BackupStored | None:
        """Tell of a version that an order has made which nobody waits for any more."""
        order = order_of(command, CommitBackup)
        try:
            async with self._custody.held(order.vault, order.app_id) as held:
                found = await asyncio.to_thread(_committed, held.repository, order.run)
        except NotFoundError:
            return None  # the Vault is gone, or the repository
        return _stored(order, found) if found else None

    async def _unchanged(
        self, order: CommitBackup, held: HeldRepository, context: StepContext
    ) -> BackupUnchanged | None:
        """Tell of the newest version if it holds the same, and nobody has sealed another yet."""
        newest = order.newest_snapshot_id
        if not newest or await self._publishing.written(order.run) is not None:
            return None

        def look(cancelled: Cancelled) -> int:
            def moved() -> None:
                if cancelled():
                    raise RunFailedError("comparing with the newest version was stopped")
                context.moved()

            return same_version(held, order.facts, newest, moved)

        number = await run_blocking(look)
        if not number:
            return None
        return outcome(
            BackupUnchanged,
            order,
            app_id=order.app_id,
            vault=order.vault,
            number=number,
            snapshot_id=newest,
            cut_at=order.facts.cut_at,
        )

    async def _sealed(
        self, order: CommitBackup, held: HeldRepository, context: StepContext
    ) -> SealedSnapshot | SourcesLost:
        """Give the sealed document of this run, made now unless it was before and is still good."""
        written = await self._publishing.written(order.run)
        record = written.value if written else None
        sealed = await run_blocking(partial(_whole, held, record, context))
        if sealed is not None:
            return sealed
        context.moved()
        lost = await run_blocking(partial(_lost, held, order.facts, context))
        if lost:
            names = tuple(lost)
            return outcome(SourcesLost, order, sources=names, why=lost[names[0]])
        context.moved()
        made = await run_blocking(partial(_seal, held, order.facts, record))
        return await self._publishing.write_ahead(order.run, made, written)


def _whole(
    held: HeldRepository, record: CommitRecord | None, context: StepContext, _: Cancelled
) -> SealedSnapshot | None:
    """Give what was sealed before, if everything that it names is still in the repository.

    A lock of ours that died with its worker let a stock client remove what no version named yet.
    """
    if record is None:
        return None
    sealed = sealed_in(record)
    document = check_sealed(held.repository, sealed)
    missing = missing_blobs(held.repository, document.tree_id, seen=context.moved)
    return None if missing else sealed


def _lost(
    held: HeldRepository, facts: VersionFacts, context: StepContext, _: Cancelled
) -> dict[str, str]:
    """Name the sources of which something is not in the repository (any more), and what."""
    lost = {}
    index = held.repository.load_index()
    for source in facts.sources:
        tree = bytes.fromhex(source.tree)
        missing = missing_blobs(held.repository, tree, index=index, seen=context.moved)
        if missing:
            lost[source.name] = f"{len(missing)} blobs are missing, such as {missing[0]}"
    return lost


def _seal(
    held: HeldRepository, facts: VersionFacts, earlier: CommitRecord | None, _: Cancelled
) -> SealedSnapshot:
    reader = Reader(held.repository)
    with Writer(held.repository, held.lock) as writer:
        tree = _join(reader, writer, facts)
    if earlier is not None and check_sealed(held.repository, sealed_in(earlier)).tree_id == tree:
        return sealed_in(earlier)  # whole again by this, so somebody else may publish it
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
    blobs, size_bytes = writer.add_file(io.BytesIO(content).readinto)
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


def _retain(
    held: HeldRepository, sealed: SealedSnapshot, context: StepContext, _: Cancelled
) -> None:
    """Keep what the version needs for as long as itself, before it exists."""
    document = check_sealed(held.repository, sealed)
    retain_version(held.repository, document.tree_id, seen=context.moved)
    held.shelf.retain()


def _committed(repository: Repository, run: str) -> str:
    found = repository.snapshots_with_tag(run_tag(run))
    return found[0][0] if found else ""


def _stored(order: CommitBackup, snapshot_id: str) -> BackupStored:
    return outcome(
        BackupStored, order, facts=order.facts, snapshot_id=snapshot_id, vault=order.vault
    )
