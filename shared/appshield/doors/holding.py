"""What a Vault holds of each application, as objects in its bucket; repositories stay closed."""

import msgspec

from appshield.vault import VaultAccess, open_vault


class HeldApplication(msgspec.Struct, frozen=True, kw_only=True):
    """What a Vault holds of an application; sizes are of objects in the bucket.

    `state` is `unknown` of one that is in the Vault and not in the catalog.
    """

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


def held_in(access: VaultAccess) -> list[HeldApplication]:
    """Add up what lies in the bucket for each application; blocks while it is listed."""
    vault = open_vault(access)
    found = []
    for identity in vault.applications():
        store = vault.application(identity.app_id).repository_store
        objects = [(one.name, one.size_bytes) for one in store.list("")]
        packs = [size for name, size in objects if name.startswith("data/")]
        found.append(
            HeldApplication(
                application=f"{identity.namespace}/{identity.name}",
                history=identity.app_id,
                state="unknown",
                versions=sum(name.startswith("snapshots/") for name, _ in objects),
                damaged_versions=0,
                objects=len(objects),
                size_bytes=sum(size for _, size in objects),
                packs=len(packs),
                pack_bytes=sum(packs),
            )
        )
    return found
