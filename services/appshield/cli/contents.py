"""Reading what versions hold, with the person's own access to the Vault: no bytes on the bus."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from appshield.cli.output import note
from appshield.cli.reaching import Reach
from appshield.doors.auditing import tell_read
from appshield.doors.contents import Named, Opened, open_repository, opened, places, roots_of
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications, version_of, versions_of
from appshield.errors import DamagedError, DeniedError, NotFoundError, UnavailableError
from appshield.repository import Reader
from appshield.vault import VaultAccess
from appshield.vault.finding import ClusterVaults

T = TypeVar("T")


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


async def tell_data_read(of: Named, path: str = "", *, what: str = "") -> None:
    """Tell the audit that these versions are read, below a path or all of it; `what` of them."""
    numbers = tuple(version.facts.number for version in of.versions)
    async with Reach.here().bus() as bus:
        paths = (path,) if path else ()
        await tell_read(bus, of.record.app, versions=numbers, paths=paths, what=what)


async def read(of: Named, work: Callable[[Opened], T]) -> T:
    """Open the repository that holds the versions and do blocking work with it.

    Where several Vaults have all of them that is the first good one, and the next if it cannot be
    opened.

    Raises:
        NotFoundError: one of them is not in the Vault, or they are in different ones.
    """
    *others, last = places(of)
    for place in others:
        try:
            found = await _opened(place)
        except (UnavailableError, NotFoundError, DeniedError, DamagedError) as error:
            note(f"warning: Vault {place.vault} is passed over: {error}")
            continue
        return await asyncio.to_thread(work, found)
    return await asyncio.to_thread(work, await _opened(last))


async def vault_access(name: str) -> VaultAccess:
    """Read what opens a Vault; whatever is done with it here, it is not to write."""
    async with Reach.here().cluster() as cluster:
        return replace(await ClusterVaults(cluster).access(name), read_only=True)


async def _opened(of: Named) -> Opened:
    access = await vault_access(of.vault)

    def opening() -> Opened:
        repository = open_repository(access, of.record.app_id)
        return opened(repository, Reader(repository), roots_of(repository), of)

    return await asyncio.to_thread(opening)
