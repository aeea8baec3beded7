"""Vaults: where versions are kept, how much that takes, how it grows, whether it is whole."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.streams import CATALOG
from appshield.doors.actions import SEE_VAULTS, SEE_VERSIONS
from appshield.doors.listing import objects_of
from appshield.doors.vaults import (
    GrowthPoint,
    Integrity,
    VaultContents,
    VaultTally,
    tallies_of,
)
from appshield.errors import NotFoundError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import LIMIT, Containing, Cursor, Limit, sorting
from appshield.gateway.api.frame.responses import FROM_VAULT
from appshield.gateway.api.frame.rights import in_cluster
from appshield.gateway.measuring import MeasuredVault
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import VAULT
from appshield.language.in_force import vault_in_force
from appshield.language.resolving import resolve_vault

_TAGS = ["Vaults"]


class ObjectLock(msgspec.Struct, frozen=True, kw_only=True):
    """How long what a version needs is kept from being deleted."""

    mode: str
    days: int


class VaultSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A Vault in a list; `refused` says why its newest document is not in force."""

    name: str
    endpoint: str
    bucket: str
    prefix: str
    region: str
    read_only: bool
    object_lock: ObjectLock | None
    refused: str
    contents: VaultContents


class SpaceOfApplication(msgspec.Struct, frozen=True, kw_only=True):
    """What an application takes in the bucket; `known`: the catalog has its history."""

    namespace: str
    name: str
    history: str
    known: bool
    size_bytes: int
    objects: int
    packs: int


class VaultSpace(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket holds.

    `deduplication` is how often content that is stored once was saved, `compression` how much
    smaller it is stored than it is; both 0 where nothing is stored. `not_counted` says of which
    histories that is not known, and why. Sums are of all that is in the bucket, names are those of
    applications of this cluster that the caller may see.
    """

    measured_at: datetime
    size_bytes: int
    objects: int
    plain_bytes: int
    stored_bytes: int
    deduplication: float
    compression: float
    not_counted: dict[str, str]
    applications: tuple[SpaceOfApplication, ...]


class VaultDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One Vault; `space` is None while the bucket is measured for the first time.

    Applications are those that the caller may see; sums are of all.
    """

    summary: VaultSummary
    space: VaultSpace | None
    growth: tuple[GrowthPoint, ...]
    integrity: tuple[Integrity, ...]


_SORT_KEYS: dict[str, SortKey[VaultSummary]] = {
    "name": lambda one: one.name,
    "versions": lambda one: one.contents.versions,
    "read_bytes": lambda one: one.contents.read_bytes,
}


@get("/vaults", opt=in_cluster(SEE_VAULTS), tags=_TAGS)
async def list_vaults(
    backend: OnBackend,
    *,
    containing: Containing = "",
    read_only: Annotated[
        bool | None, QueryParameter(description="Only those that are only read, or others.")
    ] = None,
    sort: Annotated[str, sorting(*_SORT_KEYS)] = "name",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[VaultSummary]:
    """List the Vaults, with what the catalog knows to be in each."""
    tallies = await _tallies(backend)
    found = await objects_of(backend.clusters.own(), VAULT)
    vaults = (_summary(obj, tallies.get(obj["metadata"]["name"], VaultTally())) for obj in found)
    return page_of(
        [one for one in vaults if containing in one.name and read_only in {None, one.read_only}],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_SORT_KEYS,
        name=lambda one: one.name,
    )


@get("/vaults/{vault:str}", opt=in_cluster(SEE_VAULTS), tags=_TAGS, responses=FROM_VAULT)
async def show_vault(
    backend: OnBackend,
    caller: AsCaller,
    vault: Annotated[str, PathParameter(max_length=253, description="The Vault's name.")],
) -> VaultDetail:
    """Show one Vault: space in the bucket, deduplication, compression, growth, integrity.

    The bucket is measured in the background and the result remembered for ten minutes.
    """
    found = await backend.clusters.own().get(VAULT, vault)
    if found is None:
        raise NotFoundError(f"there is no Vault {vault}", next_step="GET /vaults lists them.")
    held = (await _tallies(backend)).get(vault, VaultTally())
    measured = await backend.measures.of(vault)
    records = [
        one for one in await backend.views.applications() if one.app.cluster == backend.cluster
    ]
    visible = await backend.access.visible(
        caller, SEE_VERSIONS, {record.app.namespace for record in records}
    )
    seen = [record for record in records if record.app.namespace in visible]
    return VaultDetail(
        summary=_summary(found, held),
        space=space_of(
            measured,
            held.contents().read_bytes,
            cluster=backend.cluster,
            visible=visible,
            known=held.histories,
        )
        if measured
        else None,
        growth=tuple(held.growth()),
        integrity=tuple(held.integrity(vault, seen)),
    )


async def _tallies(backend: Backend) -> dict[str, VaultTally]:
    entries = backend.bus.bucket(CATALOG, VersionRecord).items()
    return await tallies_of(entry.value async for entry in entries)


def _summary(obj: Object, held: VaultTally) -> VaultSummary:
    document, refused = vault_in_force(obj)
    known = resolve_vault(document) if document else None
    lock = known.object_lock if known else None
    return VaultSummary(
        name=obj["metadata"]["name"],
        endpoint=known.endpoint if known else "",
        bucket=known.bucket if known else "",
        prefix=known.prefix if known else "",
        region=known.region if known else "",
        read_only=known.read_only if known else False,
        object_lock=ObjectLock(mode=lock.mode, days=lock.days) if lock else None,
        refused=refused,
        contents=held.contents(),
    )


def space_of(
    measured: MeasuredVault,
    read_bytes: int,
    *,
    cluster: str,
    visible: frozenset[str],
    known: frozenset[str],
) -> VaultSpace:
    """Say what was measured, by name only for namespaces of a cluster that are `visible`. Pure.

    `read_bytes` are what all versions hold, each counted whole; `known` are histories.
    """
    packed = measured.packed
    here = [one for one in measured.applications if one.cluster == cluster]
    places = [(one.application.partition("/"), one) for one in here]
    shown = [(place, one) for place, one in places if place[0] in visible]
    histories = {one.history for _, one in shown}
    return VaultSpace(
        measured_at=measured.measured_at,
        size_bytes=sum(one.size_bytes for one in measured.applications),
        objects=sum(one.objects for one in measured.applications),
        plain_bytes=packed.plain_bytes,
        stored_bytes=packed.sealed_bytes,
        deduplication=_ratio(read_bytes, packed.plain_bytes),
        compression=_ratio(packed.plain_bytes, packed.sealed_bytes),
        not_counted={of: why for of, why in measured.unknown.items() if of in histories},
        applications=tuple(
            SpaceOfApplication(
                namespace=namespace,
                name=name,
                history=one.history,
                known=one.history in known,
                size_bytes=one.size_bytes,
                objects=one.objects,
                packs=one.packs,
            )
            for (namespace, _, name), one in shown
        ),
    )


def _ratio(before: int, after: int) -> float:
    return round(before / after, 3) if after else 0.0


ROUTES: tuple[ControllerRouterHandler, ...] = (list_vaults, show_vault)
