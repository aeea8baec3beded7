"""`appshield apply`: checked documents into the cluster, until AppShield works by them.

A policy is in force at once for however many applications it concerns; what is shown of them
follows. That is waited for for a moment only, and told when it takes longer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, TypeVar

from cyclopts import Parameter

from appshield.bus import Bucket, Bus
from appshield.cli.documents import Files, name_of, read_files
from appshield.cli.output import note, say
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.doors.auditing import Stored, told_write
from appshield.doors.documents import document_place, generation_text
from appshield.doors.requesting import run_asked_by
from appshield.doors.surroundings import OUR_KINDS
from appshield.errors import AppShieldError, DeadlineError, RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION, BACKUP, POLICY, PROFILE, RESTORE
from appshield.language.object_reading import read_object
from appshield.language.reading import Document
from appshield.language.resolving import revision

_KNOWN_WITHIN_S = 15.0
_SETTLED_WITHIN_S = 0.5
_TAKEN_UP = frozenset({APPLICATION.kind, POLICY.kind, PROFILE.kind})
"""Kinds of which another revision takes effect; the others are read where they are used."""
RecordT = TypeVar("RecordT", ApplicationRecord, PolicyRecord)


async def apply(
    file: Files,
    *,
    namespace: Annotated[
        str,
        Parameter(name=("--namespace", "-n"), help="For documents that name none."),
    ] = "",
) -> None:
    """Check documents, put them into the cluster, and wait until they are in force."""
    documents = read_files(file)
    reach = Reach.here()
    async with reach.cluster() as cluster:
        async with _audit(reach) as audit:
            applied = [await _apply(cluster, audit, document, namespace) for document in documents]
        await _until_known(reach, cluster, [obj for obj in applied if obj["kind"] in _TAKEN_UP])


@asynccontextmanager
async def _audit(reach: Reach) -> AsyncIterator[tuple[Bus, str] | None]:
    """Reach what tells the audit: the bus, and the cluster's name there; nothing without AppShield.

    Documents can be applied before AppShield is there, as with kubectl.
    """
    async with AsyncExitStack() as stack:
        try:
            bus = await stack.enter_async_context(reach.bus())
            audit = bus, await reach.cluster_name(bus)
        except AppShieldError as error:
            note(f"warning: the audit does not know of this: {error}")
            yield None
            return
        yield audit


async def _apply(
    cluster: Cluster, audit: tuple[Bus, str] | None, document: Document, namespace: str
) -> Object:
    body = document.object
    kind = OUR_KINDS[body["kind"]]
    if kind.namespaced:
        body["metadata"].setdefault("namespace", namespace or "default")
    async with AsyncExitStack() as stack:
        stored = Stored()
        if audit is not None:
            bus, name = audit
            place = body["metadata"].get("namespace", "") if kind.namespaced else ""
            about = document_place(name, kind.kind, place, body["metadata"]["name"])
            stored = await stack.enter_async_context(told_write(bus, about, name_of(body)))
        applied = await cluster.apply(kind, body)
        stored.generation = generation_text(_generation(applied))
        stored.run = run_asked_by(applied) if kind in (BACKUP, RESTORE) else ""
    say(f"{name_of(applied)} applied")
    return applied


async def _until_known(reach: Reach, cluster: Cluster, objects: list[Object]) -> None:
    """Wait until AppShield works by what was applied; without an installation say so."""
    if not objects:
        return
    try:
        async with reach.bus() as bus:
            name = await reach.cluster_name(bus)
            for obj in objects:
                if obj["kind"] == PROFILE.kind:
                    await _profile_known(cluster, obj)
                elif obj["kind"] == POLICY.kind:
                    await _known(bus.bucket(POLICIES, PolicyRecord), name, obj)
                else:
                    await _known(bus.bucket(APPLICATIONS, ApplicationRecord), name, obj)
    except AppShieldError as error:
        if isinstance(error, RefusedError):
            raise
        note(f"warning: AppShield does not know it yet: {error}")


async def _profile_known(cluster: Cluster, obj: Object) -> None:
    """Wait until the status of a profile is about what was applied.

    Raises:
        RefusedError: it does not count; says why.
    """
    name = obj["metadata"]["name"]

    def told(found: Object | None) -> bool:
        status = (found or {}).get("status") or {}
        return int(status.get("observedGeneration", 0)) >= _generation(obj)

    found = await cluster.wait_for(
        PROFILE, name, "", told, timeout_s=_KNOWN_WITHIN_S, what="taken up"
    )
    ready = next(one for one in found["status"]["conditions"] if one["type"] == "Ready")
    if ready["status"] != "True":
        accepted = next(one for one in found["status"]["conditions"] if one["type"] == "Accepted")
        why = ready["message"] if accepted["status"] == "True" else accepted["message"]
        raise RefusedError(f"{name_of(obj)} does not count", why=why)


async def _known(bucket: Bucket[RecordT], cluster: str, obj: Object) -> None:
    """Wait for the planner's record of this very object and content, and until it is in force.

    Raises:
        RefusedError: the watcher refuses the document; the last good one stays in force.
    """
    uid, name = obj["metadata"]["uid"], name_of(obj)
    wanted = revision(read_object(obj).spec)
    stopping = asyncio.Event()
    in_force = False
    try:
        async with asyncio.timeout(_KNOWN_WITHIN_S) as limit:
            async for change in bucket.watch(stopping=stopping):
                record = change.value
                if record is None or record.uid != uid or record.app.cluster != cluster:
                    continue
                if isinstance(record, PolicyRecord) and record.generation < _generation(obj):
                    continue  # said of the document before
                if record.refused:
                    raise RefusedError(f"{name} is not accepted", why=record.refused)
                if record.revision != wanted:
                    continue
                if not isinstance(record, PolicyRecord) or record.settled:
                    return
                if record.in_force_since is not None and not in_force:
                    in_force = True
                    limit.reschedule(asyncio.get_running_loop().time() + _SETTLED_WITHIN_S)
    except TimeoutError as error:
        if in_force:
            note(
                f"{name} is in force; what is shown of the applications that it concerns follows. "
                "`appshield policies` says when it is done."
            )
            return
        raise DeadlineError(
            f"{name} was not taken up within {_KNOWN_WITHIN_S:g} s",
            next_step="Check that `appshield up` runs against this cluster.",
        ) from error
    finally:
        stopping.set()


def _generation(obj: Object) -> int:
    return int(obj["metadata"].get("generation", 0))
