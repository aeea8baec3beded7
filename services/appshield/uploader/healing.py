"""Heal a repository from the other Vaults that hold the application: documents, then all content.

each other Vault    opened and locked; one that cannot be is told and passed over
documents           of versions that are unreadable or gone here: what they need is copied first
content             what cannot be read is brought and written anew, blob by blob
recorded            what stays damaged is written down beside the repository before it is told
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial

import msgspec
from msgspec.structs import replace

from appshield.capture.layout import run_tag
from appshield.contracts.maintenance import Healed, KnownVersion, NamedVersion, RepairRepository
from appshield.custody import Custody, HeldRepository
from appshield.errors import AppShieldError, DamagedError, RunFailedError
from appshield.objectstore import ObjectRetainedError
from appshield.repository import SnapshotDocument, copy_tree, heal, seal_snapshot
from appshield.repository.layout import file_name
from appshield.repository.retaining import retain_version
from appshield.service import Cancelled, Clock, run_bulk
from appshield.service.steps import StepContext
from appshield.uploader.findings import damage_of, numbers_of, remember

Moved = Callable[[], None]


class _Others(msgspec.Struct, frozen=True):
    """The other Vaults' repositories by name, and why others could not be used."""

    held: dict[str, HeldRepository]
    unused: tuple[str, ...]


class Healing:
    """Heals what is held alone."""

    def __init__(self, custody: Custody, *, clock: Clock) -> None:
        self._custody = custody
        self._clock = clock

    async def heal(
        self, held: HeldRepository, order: RepairRepository, context: StepContext
    ) -> Healed:
        """Bring back what the order's other Vaults have.

        Raises:
            RunFailedError: it was stopped; the repository is valid, and the next run goes on.
        """
        async with AsyncExitStack() as stack:
            others = await self._open(stack, order, context)
            return await run_bulk(partial(self._heal, held, order, others, context))

    async def _open(
        self, stack: AsyncExitStack, order: RepairRepository, context: StepContext
    ) -> _Others:
        held: dict[str, HeldRepository] = {}
        unused: list[str] = []
        for vault in order.others:
            try:
                held[vault] = await stack.enter_async_context(
                    self._custody.held(vault, order.app_id)
                )
            except AppShieldError as error:
                unused.append(f"{vault}: {error}")
            context.moved()
        return _Others(held, tuple(unused))

    def _heal(
        self,
        held: HeldRepository,
        order: RepairRepository,
        others: _Others,
        context: StepContext,
        cancelled: Cancelled,
    ) -> Healed:
        def moved() -> None:
            if cancelled():
                raise RunFailedError("the repair was stopped")
            context.moved()

        began_at = self._clock.now()
        sources = tuple(others.held.values())
        documents = tuple(_documents(held, sources, order.versions, moved))
        repositories = [source.repository for source in sources]
        report = heal(held.repository, held.lock, repositories, moved=moved)
        numbers = numbers_of(held.repository.list_snapshots())
        damage = damage_of(report.lost, numbers)
        remember(held.shelf, damage, began_at)
        lost = {one.number for one in damage}
        return Healed(
            sources=tuple(others.held),
            unused=others.unused,
            brought=report.brought,
            replaced=len(report.replaced),
            documents=documents,
            damage=damage,
            verified=tuple(sorted(set(numbers.values()) - lost - {0})),
        )


def _documents(
    held: HeldRepository,
    sources: Sequence[HeldRepository],
    known: Sequence[KnownVersion],
    moved: Moved,
) -> Iterator[NamedVersion]:
    """Write documents anew that should be here; yield every version that has another one now.

    One that was written by a run which died since is found by the tag of the version's run.
    """
    listing = held.repository.list_snapshots()
    unreadable = {one.snapshot_id for one in listing.unreadable}
    for version in known:
        tag = run_tag(version.run)
        here = [identity for identity, document in listing.readable if tag in document.tags]
        if version.snapshot_id in here:
            continue
        name = here[0] if here else _written(held, sources, version, moved)
        if not name:
            continue
        if version.snapshot_id in unreadable:
            _delete(held, version.snapshot_id)
        yield NamedVersion(number=version.number, snapshot_id=name)


def _written(
    held: HeldRepository, sources: Sequence[HeldRepository], version: KnownVersion, moved: Moved
) -> str:
    """Write the document of a version as another Vault has it, once all it needs is here.

    Returns what it is called, "" where no other Vault has the version whole.
    """
    for source in sources:
        for identity, document in source.repository.snapshots_with_tag(run_tag(version.run)):
            tree_id = document.tree_id
            try:
                copy_tree(
                    source.repository,
                    held.repository,
                    held.lock,
                    tree_id,
                    go_on=lambda _, __: moved(),
                )
            except DamagedError:
                continue
            retain_version(held.repository, tree_id, seen=moved)
            sealed = seal_snapshot(held.repository, _again(document, identity, version))
            held.repository.publish_snapshot(sealed, lock=held.lock)
            return sealed.snapshot_id
    return ""


def _again(document: SnapshotDocument, identity: str, version: KnownVersion) -> SnapshotDocument:
    """Say of a document what it was called first: here, or where it was copied from."""
    original = document.original or version.snapshot_id or identity
    return replace(document, original=original, parent=None)


def _delete(held: HeldRepository, snapshot_id: str) -> None:
    """Remove a document that cannot be read, now that there is another one."""
    held.lock.ensure_held()
    try:
        held.repository.store.delete(file_name("snapshots", snapshot_id))
    except ObjectRetainedError:
        return  # a check goes on to name it
