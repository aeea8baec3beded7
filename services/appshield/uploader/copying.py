"""Make a version of one Vault exist in another one, too.

in the target already?    answer, by the tag of the run that made it
copy what is missing      blob by blob, verified; nothing refers to it yet
seal, write ahead         the first sealed document wins; every retry writes its very bytes
number and pin            promised in the target before the version exists there
packs kept on             as long as this version, where the target keeps objects (object lock)
lock still ours?          then the document goes into the repository: the copy exists
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import msgspec
from msgspec.structs import replace

from appshield.bus import Bus, Entry
from appshield.capture.layout import VERSION_FILE, run_tag
from appshield.contracts.agents import CommitRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.maintenance import CopyVersion, VersionCopied
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.errors import DamagedError, NotFoundError, RunFailedError
from appshield.repository import (
    CopyReport,
    Reader,
    SealedSnapshot,
    SnapshotDocument,
    copy_tree,
    seal_snapshot,
)
from appshield.repository.retaining import retain_version
from appshield.repository.snapshots import check_sealed
from appshield.service import Cancelled, Clock, SystemClock, run_blocking, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.publishing import Publishing, sealed_in

_PINNED_BY = "copied with the version"


class _Found(msgspec.Struct, frozen=True):
    """The version as it is in the source."""

    snapshot_id: str
    document: SnapshotDocument
    facts: VersionFacts


class Copying:
    """Copies versions between Vaults; two that copy the same one at once make one copy."""

    def __init__(self, *, bus: Bus, custody: Custody, clock: Clock | None = None) -> None:
        self._publishing = Publishing(bus)
        self._custody = custody
        self._clock = clock or SystemClock()
        # one copy fills the line to the target; several at once would only need more memory
        self._turn = asyncio.Semaphore(1)

    async def copy(self, command: StepCommand, context: StepContext) -> VersionCopied:
        """Make the version exist in the order's Vault, once, whoever copies and however often.

        Raises:
            NotFoundError: it is not in the source (any more).
            DamagedError: something of it cannot be read there.
        """
        order = order_of(command, CopyVersion)
        async with AsyncExitStack() as stack:
            async with context.waiting():
                await stack.enter_async_context(self._turn)
            source = await stack.enter_async_context(self._custody.held(order.source, order.app_id))
            context.moved()
            found = await run_blocking(partial(_find, source, order))
            await self._identify(source, order)
            target = await stack.enter_async_context(
                self._custody.held(order.vault, order.app_id, create=True, like=source.repository)
            )
            context.moved()
            return await self._copy(order, found, source, target, context)

    async def _copy(
        self,
        order: CopyVersion,
        found: _Found,
        source: HeldRepository,
        target: HeldRepository,
        context: StepContext,
    ) -> VersionCopied:
        before = await asyncio.to_thread(_existing, target, found)
        if before:
            return self._copied(order, found, before, None)
        report = await run_bulk(partial(_send, source, target, found, context))
        key = f"{found.facts.run}.{order.vault}"
        written = await self._publishing.written(key)
        sealed = _of_this_repository(target, written)
        if sealed is None:
            made = seal_snapshot(target.repository, _copy_of(found))
            sealed = await self._publishing.write_ahead(key, made, written)
        context.moved()
        await run_blocking(partial(_promise, source, target, found, context))
        await context.ensure_wanted()
        done = self._copied(order, found, sealed.snapshot_id, report)
        await self._publishing.make_exist(target, sealed, done)
        return done

    async def _identify(self, source: HeldRepository, order: CopyVersion) -> None:
        """Let the target know whose versions these are, as the source does."""
        shelf = await self._custody.shelf(order.vault, order.app_id)
        identity = await asyncio.to_thread(source.shelf.identity)
        if identity is not None:
            await asyncio.to_thread(shelf.write_identity, identity)

    def _copied(
        self, order: CopyVersion, found: _Found, snapshot_id: str, report: CopyReport | None
    ) -> VersionCopied:
        return outcome(
            VersionCopied,
            order,
            app_id=order.app_id,
            vault=order.vault,
            source=order.source,
            facts=found.facts,
            snapshot_id=snapshot_id,
            copied_at=self._clock.now(),
            bytes_copied=report.bytes_copied if report else 0,
            bytes_stored=report.bytes_stored if report else 0,
        )


def _find(source: HeldRepository, order: CopyVersion, _: Cancelled) -> _Found:
    wanted = order.version.snapshot_id
    for snapshot_id, document in source.repository.snapshots():
        if wanted not in {snapshot_id, document.original}:
            continue
        reader = Reader(source.repository)
        content = b"".join(reader.iter_file(reader.find(document.tree_id, VERSION_FILE)))
        try:
            facts = msgspec.json.decode(content, type=VersionFacts)
        except msgspec.MsgspecError as error:
            raise DamagedError(f"{VERSION_FILE} cannot be read", why=str(error)) from error
        return _Found(snapshot_id, document, facts)
    raise NotFoundError(
        f"version {order.version.number} of {order.app} is not in Vault {order.source}",
        why="it was removed there, or the catalog is older than the Vault",
        next_step=f"`appshield rebuild-catalog {order.source}` reads the Vault again.",
    )


def _existing(target: HeldRepository, found: _Found) -> str:
    """Return what the version is called in the target, also when a stock client copied it."""
    copies = target.repository.snapshots_with_tag(run_tag(found.facts.run))
    return copies[0][0] if copies else ""


def _send(
    source: HeldRepository,
    target: HeldRepository,
    found: _Found,
    context: StepContext,
    cancelled: Cancelled,
) -> CopyReport:
    def go_on(bytes_done: int, bytes_total: int) -> None:
        if cancelled():
            raise RunFailedError("the copy was stopped")
        context.progress(bytes_done, bytes_total)

    tree_id = found.document.tree_id
    return copy_tree(source.repository, target.repository, target.lock, tree_id, go_on=go_on)


def _copy_of(found: _Found) -> SnapshotDocument:
    """Say of the copy whose it is, as `restic copy` does; its parent is not in the target."""
    original = found.document.original or found.snapshot_id
    return replace(found.document, original=original, parent=None)


def _of_this_repository(
    target: HeldRepository, written: Entry[CommitRecord] | None
) -> SealedSnapshot | None:
    """Give what was sealed before, unless for a repository that is gone."""
    if written is None:
        return None
    sealed = sealed_in(written.value)
    try:
        check_sealed(target.repository, sealed)
    except DamagedError:
        return None
    return sealed


def _promise(
    source: HeldRepository,
    target: HeldRepository,
    found: _Found,
    context: StepContext,
    _: Cancelled,
) -> None:
    """Write down in the target what must hold before the version exists there."""
    number = found.facts.number
    target.shelf.raise_highest_version(number)
    if number in source.shelf.pins():
        target.shelf.pin(number, by=_PINNED_BY)
    retain_version(target.repository, found.document.tree_id, seen=context.moved)
    target.shelf.retain()
