"""What a Vault holds of each application, as objects in its bucket, and how well it is packed.

Everything here blocks, as long as listing the bucket takes.
"""

import msgspec

from appshield.doors.contents import open_repository
from appshield.repository.crypto import SEAL_BYTES
from appshield.repository.index import Index
from appshield.vault import VaultAccess, open_vault

INDEX_MAX_BYTES = 64 * 1024 * 1024
"""Larger indexes are not loaded only to say how well their repository is packed."""


class HeldApplication(msgspec.Struct, frozen=True, kw_only=True):
    """What a Vault holds of an application; sizes are of objects in the bucket.

    `state` is `unknown` of one that is in the Vault and not in the catalog.
    """

    cluster: str
    application: str
    history: str
    state: str
    versions: int
    damaged_versions: int
    objects: int
    size_bytes: int
    packs: int
    pack_bytes: int
    pruned_at: str = ""
    checked_at: str = ""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """Content of repositories, each chunk once: plain, and as it is stored."""

    plain_bytes: int = 0
    sealed_bytes: int = 0

    def __add__(self, other: "Packed") -> "Packed":
        return Packed(
            plain_bytes=self.plain_bytes + other.plain_bytes,
            sealed_bytes=self.sealed_bytes + other.sealed_bytes,
        )


def held_in(access: VaultAccess) -> list[HeldApplication]:
    """Add up what lies in the bucket for each application; repositories stay closed."""
    vault = open_vault(access)
    found = []
    for identity in vault.applications():
        store = vault.application(identity.app_id).repository_store
        objects = size_bytes = packs = pack_bytes = versions = 0
        for one in store.list(""):
            objects, size_bytes = objects + 1, size_bytes + one.size_bytes
            versions += one.name.startswith("snapshots/")
            if one.name.startswith("data/"):
                packs, pack_bytes = packs + 1, pack_bytes + one.size_bytes
        found.append(
            HeldApplication(
                cluster=identity.cluster,
                application=f"{identity.namespace}/{identity.name}",
                history=identity.app_id,
                state="unknown",
                versions=versions,
                damaged_versions=0,
                objects=objects,
                size_bytes=size_bytes,
                packs=packs,
                pack_bytes=pack_bytes,
            )
        )
    return found


def packed_in(access: VaultAccess, app_id: str) -> Packed | None:
    """Say how well a repository is packed, from its index; None where that is very large.

    Raises:
        NotFoundError, DeniedError, DamagedError: it cannot be opened.
    """
    repository = open_repository(access, app_id)
    index_bytes = sum(one.size_bytes for one in repository.store.list("index/"))
    return None if index_bytes > INDEX_MAX_BYTES else packed(repository.index)


def packed(index: Index) -> Packed:
    """Add up the content that an index names."""
    import numpy as np  # here, since most of a door does without it

    plain_bytes = sealed_bytes = 0
    for _, table in index.tables.by_kind():
        sealed = np.asarray(table.sealed_sizes, np.int64)
        compressed_from = np.asarray(table.compressed_from, np.int64)
        plain = np.where(compressed_from > 0, compressed_from, sealed - SEAL_BYTES)
        plain_bytes += int(plain.sum())
        sealed_bytes += int(sealed.sum())
    return Packed(plain_bytes=plain_bytes, sealed_bytes=sealed_bytes)
