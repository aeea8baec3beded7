"""Packs that no index names any more and that are kept for a while: prune's grace period.

A prune that drops packs from the index first writes a record of them: a sealed document in the
folder `appshield-retired`, beside what restic knows and where it never looks. The packs are deleted
by a prune after their time, unless they are named again or turn out to be needed. So a worker that
slept over the loss of its lock, and refers to a pack that was dropped meanwhile, has lost nothing.

Records only say when a pack may go. Whether it may is decided by index and snapshots.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.layout import is_id
from appshield.repository.repository import Repository

RETIRED: Final = "appshield-retired"


class Retirement(msgspec.Struct, frozen=True):
    """Packs that were dropped from the index at one moment."""

    time: dt.datetime
    packs: tuple[str, ...]


def retire(repository: Repository, retirement: Retirement) -> None:
    """Write a record; to be done before an index that does not name the packs."""
    file = repository.sealed_files.seal(retirement)
    repository.store.put(f"{RETIRED}/{file.identity}", file.sealed)


def retirements(repository: Repository) -> Iterator[tuple[str, Retirement]]:
    """Yield name and content of each record; one that cannot be read is as if it were not there.

    Its packs are then unnamed ones like any other, and the next prune retires them anew.
    """
    for found in repository.store.list(RETIRED):
        if not is_id(found.name.rpartition("/")[2]):
            continue
        try:
            sealed = repository.store.get(found.name)
            yield found.name, repository.sealed_files.decode(sealed, Retirement)
        except (ObjectMissingError, DamagedError):
            continue


def retired_packs(repository: Repository) -> dict[str, dt.datetime]:
    """Return when each retired pack was last dropped from the index."""
    found: dict[str, dt.datetime] = {}
    for _, retirement in retirements(repository):
        for pack_id in retirement.packs:
            found[pack_id] = max(retirement.time, found.get(pack_id, retirement.time))
    return found
