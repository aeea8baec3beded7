"""`appshield apply`: checked documents into the cluster, until the planner works by them."""

import asyncio
from typing import Annotated, TypeVar

from cyclopts import Parameter

from appshield.bus import Bucket
from appshield.cli.documents import Files, name_of, read_files
from appshield.cli.output import note, say
from appshield.cli.reaching import Reach
from appshield.cli.surroundings import OUR_KINDS
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.errors import AppShieldError, DeadlineError, RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION, POLICY
from appshield.language.object_reading import read_object
from appshield.language.reading import Document
from appshield.language.resolving import revision

_KNOWN_WITHIN_S = 15.0
_TAKEN_UP = frozenset({APPLICATION.kind, POLICY.kind})
"""Kinds whose documents the planner works by; the others are read where they are used."""
RecordT = TypeVar("RecordT", ApplicationRecord, PolicyRecord)


async def apply(
    file: Files,
    *,
    namespace: Annotated[
        str,
        Parameter(name=("--namespace", "-n"), help="For documents that name none."),
    ] = "",
) -> None:
    """Check documents, put them into the cluster, and wait until the planner knows them."""
    documents = read_files(file)
    reach = Reach.here()
    async with reach.cluster() as cluster:
        applied = [await _apply(cluster, document, namespace) for document in documents]
    await _until_known(reach, [obj for obj in applied if obj["kind"] in _TAKEN_UP])


async def _apply(cluster: Cluster, document: Document, namespace: str) -> Object:
    body = document.object
    kind = OUR_KINDS[body["kind"]]
    if kind.namespaced:
        body["metadata"].setdefault("namespace", namespace or "default")
    applied = await cluster.apply(kind, body)
    say(f"{name_of(applied)} applied")
    return applied


async def _until_known(reach: Reach, objects: list[Object]) -> None:
    """Wait until the planner works by what was applied; without an installation say so."""
    if not objects:
        return
    try:
        async with reach.bus() as bus:
            cluster = await reach.cluster_name(bus)
            for obj in objects:
                if obj["kind"] == POLICY.kind:
                    await _known(bus.bucket(POLICIES, PolicyRecord), cluster, obj)
                else:
                    await _known(bus.bucket(APPLICATIONS, ApplicationRecord), cluster, obj)
    except AppShieldError as error:
        if isinstance(error, RefusedError):
            raise
        note(f"warning: AppShield does not know it yet: {error}")


async def _known(bucket: Bucket[RecordT], cluster: str, obj: Object) -> None:
    """Wait for the planner's record of this very object and content, and until it is in force.

    Raises:
        RefusedError: the watcher refuses the document; the last good one stays in force.
    """
    uid, name = obj["metadata"]["uid"], name_of(obj)
    wanted = revision(read_object(obj).spec)
    stopping = asyncio.Event()
    try:
        async with asyncio.timeout(_KNOWN_WITHIN_S):
            async for change in bucket.watch(stopping=stopping):
                record = change.value
                if record is None or record.uid != uid or record.app.cluster != cluster:
                    continue
                if isinstance(record, PolicyRecord) and record.generation < _generation(obj):
                    continue  # said of the document before
                if record.refused:
                    raise RefusedError(f"{name} is not accepted", why=record.refused)
                settled = not isinstance(record, PolicyRecord) or record.settled
                if record.revision == wanted and settled:
                    return
    except TimeoutError as error:
        raise DeadlineError(
            f"{name} was not taken up within {_KNOWN_WITHIN_S:g} s",
            next_step="Check that `appshield up` runs against this cluster.",
        ) from error
    finally:
        stopping.set()


def _generation(obj: Object) -> int:
    return int(obj["metadata"].get("generation", 0))
