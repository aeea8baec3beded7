"""Reading what versions hold, with the person's own access to the Vault: no bytes on the bus."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from appshield.cli.output import note
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications, version_of, versions_of
from appshield.errors import DamagedError, DeniedError, NotFoundError, UnavailableError
from appshield.repository import Reader, Repository
from appshield.vault import VaultAccess, open_vault
from appshield.vault.finding import ClusterVaults

T = TypeVar("T")


class Named(msgspec.Struct, frozen=True):
    """A history of an application with some of its versions, as the catalog knows them."""

    record: ApplicationRecord
    versions: tuple[VersionRecord, ...]


class Opened(msgspec.Struct, frozen=True):
    """A repository that is open for reading, and the root trees of the versions asked for."""

    repository: Repository
    reader: Reader
    roots: tuple[bytes, ...]


async def named(
    app: str, namespace: str, history: str, numbers: Sequence[int] | None = None
) -> Named:
    """Look versions up by their numbers; without numbers all of them, oldest first."""
    want = wanted(app, namespace)
    async with Reach.here().bus() as bus:
        record = with_versions(await applications(bus), want, history)
        if numbers is None:
            found = await versions_of(bus, record.app_id)
        else:
            found = [await version_of(bus, record, number) for number in numbers]
    return Named(record, tuple(found))


async def read(of: Named, work: Callable[[Opened], T]) -> T:
    """Open the repository that holds the versions and do blocking work with it.

    Where several Vaults have all of them that is the first good one, and the next if it cannot be
    opened.

    Raises:
        NotFoundError: one of them is not in the Vault, or they are in different ones.
    """
    places = _places(of)
    if not places:
        vaults = {vault for version in of.versions for vault in version.vaults}
        raise NotFoundError(
            f"these versions of {of.record.app} are not in one Vault",
            why=f"they are in {', '.join(sorted(vaults)) or 'none'}",
        )
    *others, last = places
    for place in others:
        try:
            opened = await _opened(place)
        except (UnavailableError, NotFoundError, DeniedError, DamagedError) as error:
            note(f"warning: Vault {place.versions[0].vault} is passed over: {error}")
            continue
        return await asyncio.to_thread(work, opened)
    return await asyncio.to_thread(work, await _opened(last))


async def vault_access(name: str) -> VaultAccess:
    """Read what opens a Vault; whatever is done with it here, it is not to write."""
    async with Reach.here().cluster() as cluster:
        return replace(await ClusterVaults(cluster).access(name), read_only=True)


def _places(of: Named) -> list[Named]:
    """Give the versions as they are in each Vault that has all of them; good ones first."""
    vaults = of.versions[0].vaults if of.versions else ()
    places = [
        Named(of.record, tuple(here for one in of.versions if (here := one.at(vault)) is not None))
        for vault in vaults
    ]
    whole = [place for place in places if len(place.versions) == len(of.versions)]
    return sorted(whole, key=lambda place: any(one.damage for one in place.versions))


async def _opened(of: Named) -> Opened:
    access = await vault_access(of.versions[0].vault)
    return await asyncio.to_thread(_opened_for, access, of)


def _opened_for(access: VaultAccess, of: Named) -> Opened:
    shelf = open_vault(access).application(of.record.app_id)
    repository = Repository.open(shelf.repository_store, shelf.repository_password())
    trees = {}
    for snapshot_id, document in repository.snapshots():
        trees[snapshot_id] = document.tree_id
        if document.original:
            trees.setdefault(document.original, document.tree_id)
    missing = [one for one in of.versions if one.snapshot_id not in trees]
    if missing:
        raise NotFoundError(
            f"version {missing[0].facts.number} of {of.record.app} cannot be read in the Vault",
            why="its snapshot document is damaged or was removed there",
            next_step="`appshield rebuild-catalog` reads the Vault again.",
        )
    roots = tuple(trees[one.snapshot_id] for one in of.versions)
    return Opened(repository, Reader(repository), roots)
