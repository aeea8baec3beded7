"""Versions that are open for reading: no bytes travel on the bus, whoever asks reads the Vault.

Every call that opens something blocks.
"""

from collections.abc import Mapping

import msgspec

from appshield import custody
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.errors import NotFoundError
from appshield.repository import Reader, Repository
from appshield.vault import VaultAccess, open_vault


class Named(msgspec.Struct, frozen=True):
    """A history of an application with some of its versions, as the catalog knows them."""

    record: ApplicationRecord
    versions: tuple[VersionRecord, ...]

    @property
    def vault(self) -> str:
        """The Vault in which they are, of versions `as they are there`; see `places`."""
        return self.versions[0].vault


class Opened(msgspec.Struct, frozen=True):
    """A repository that is open for reading, and the root trees of the versions asked for."""

    repository: Repository
    reader: Reader
    roots: tuple[bytes, ...]


def places(of: Named) -> list[Named]:
    """Give the versions as they are in each Vault that has all of them; good ones first.

    Raises:
        NotFoundError: no Vault has all of them.
    """
    vaults = of.versions[0].vaults if of.versions else ()
    found = [
        Named(of.record, tuple(here for one in of.versions if (here := one.at(vault)) is not None))
        for vault in vaults
    ]
    whole = [place for place in found if len(place.versions) == len(of.versions)]
    if not whole:
        known = {vault for version in of.versions for vault in version.vaults}
        raise NotFoundError(
            f"these versions of {of.record.app} are not in one Vault",
            why=f"they are in {', '.join(sorted(known)) or 'none'}",
        )
    return sorted(whole, key=lambda place: any(one.damage for one in place.versions))


def open_repository(access: VaultAccess, app_id: str) -> Repository:
    """Open the repository of a history.

    Raises:
        NotFoundError: the Vault holds none.
        DeniedError: root key or password are wrong.
        UnavailableError: the store cannot be reached.
    """
    return custody.open_repository(open_vault(access).application(app_id))


def roots_of(repository: Repository) -> dict[str, bytes]:
    """Return the root tree of every version that can be read, by what its snapshot is called.

    One that a stock client has written anew is found by its old name, too.
    """
    roots = {}
    for snapshot_id, document in repository.snapshots():
        roots[snapshot_id] = document.tree_id
        if document.original:
            roots.setdefault(document.original, document.tree_id)
    return roots


def opened(repository: Repository, reader: Reader, roots: Mapping[str, bytes], of: Named) -> Opened:
    """Find the root trees of versions, given those of the whole repository.

    Raises:
        NotFoundError: the document of one of them is not there, or cannot be read.
    """
    missing = [one for one in of.versions if one.snapshot_id not in roots]
    if missing:
        raise NotFoundError(
            f"version {missing[0].facts.number} of {of.record.app} cannot be read in the Vault",
            why="its snapshot document is damaged or was removed there",
            next_step="`appshield rebuild-catalog` reads the Vault again.",
        )
    return Opened(repository, reader, tuple(roots[one.snapshot_id] for one in of.versions))
