"""Finding what is archived: in every Vault of the cluster that can be read."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from appshield.audit.archive import Segment
from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import VAULT
from appshield.vault import Vault, open_vault
from appshield.vault.finding import ClusterVaults


class VaultArchive:
    """What is archived in some Vaults, as they were listed at one moment."""

    def __init__(self, vaults: Iterable[Vault], segments: Iterable[Segment]) -> None:
        self._shelves = {vault.name: vault.audit() for vault in vaults}
        self.segments = sorted(segments)
        self.vaults = frozenset(self._shelves)

    @classmethod
    async def listed(cls, vaults: Sequence[Vault]) -> "VaultArchive":
        """List what is archived in Vaults; raises what an object store raises."""
        found = [await asyncio.to_thread(segments_in, vault) for vault in vaults]
        return cls(vaults, (segment for segments in found for segment in segments))

    async def read(self, segment: Segment) -> bytes:
        """See `Archive.read`."""
        shelf = self._shelves[segment.vault]
        return await asyncio.to_thread(shelf.read, segment.chain, segment.first, segment.last)


def segments_in(vault: Vault) -> list[Segment]:
    """List what is archived in a Vault; blocks."""
    return [
        Segment(chain=chain, first=first, last=last, vault=vault.name)
        for chain, first, last in vault.audit().stretches()
    ]


async def archive_of(cluster: Cluster) -> tuple[VaultArchive, Mapping[str, AppShieldError]]:
    """List what is archived, and say which Vaults could not be read, and why."""
    opened: list[Vault] = []
    away: dict[str, AppShieldError] = {}
    for name in sorted(str(one["metadata"]["name"]) for one in await cluster.list(VAULT)):
        try:
            access = await ClusterVaults(cluster).access(name)
            vault = open_vault(replace(access, read_only=True))
            await VaultArchive.listed([vault])
        except AppShieldError as error:
            away[name] = error
        else:
            opened.append(vault)
    return await VaultArchive.listed(opened), away
