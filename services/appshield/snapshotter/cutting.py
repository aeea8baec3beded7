"""Cut the point in time: one VolumeSnapshot for each volume, all asked for at once.

A snapshot is cut when its content has a `creationTime`; it can be read when it is `readyToUse`,
which may take much longer and keeps no application waiting.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from appshield.errors import RunFailedError, UnavailableError
from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.kubernetes.kinds import VOLUME_SNAPSHOT
from appshield.service import together
from appshield.snapshotter import bodies


class Cut(msgspec.Struct, frozen=True):
    """The snapshot of one claim: names of its object and of its content, the moment it holds."""

    claim: str
    snapshot: str
    content: str
    at: datetime


class SnapshotWanted(msgspec.Struct, frozen=True):
    """A claim and the class that snapshots it."""

    claim: str
    snapshot_class: str


async def cut(
    cluster: Cluster,
    *,
    run: str,
    namespace: str,
    wanted: Sequence[SnapshotWanted],
    timeout_s: float,
) -> list[Cut]:
    """Ask for every snapshot and return when each has been cut.

    Raises:
        RunFailedError: the driver refused one.
        DeadlineError: one was not cut in time.
    """
    return await together(_cut_one(cluster, run, namespace, volume, timeout_s) for volume in wanted)


async def _cut_one(
    cluster: Cluster, run: str, namespace: str, wanted: SnapshotWanted, timeout_s: float
) -> Cut:
    body = bodies.snapshot(run, wanted.claim, namespace, wanted.snapshot_class)
    name = body["metadata"]["name"]
    try:
        await cluster.create(VOLUME_SNAPSHOT, body)
    except AlreadyExistsError as error:
        raise UnavailableError(
            f"a snapshot of volume {wanted.claim} was made by another attempt",
            why="it holds another moment than this one",
            next_step="It is removed, and all volumes are cut again.",
        ) from error
    done = await cluster.wait_for(
        VOLUME_SNAPSHOT,
        name,
        namespace,
        _is_cut,
        timeout_s=timeout_s,
        what=f"snapshot of volume {wanted.claim} cut",
    )
    status = done["status"]
    return Cut(
        claim=wanted.claim,
        snapshot=name,
        content=status["boundVolumeSnapshotContentName"],
        at=datetime.fromisoformat(status["creationTime"]),
    )


def _is_cut(obj: Object | None) -> bool:
    status = (obj or {}).get("status", {})
    if status.get("creationTime") and status.get("boundVolumeSnapshotContentName"):
        return True
    raise_if_failed(obj)
    return False


def raise_if_failed(obj: Object | None) -> None:
    """Stop waiting for a snapshot that its driver has refused.

    Raises:
        RunFailedError: with the driver's words.
    """
    error = (obj or {}).get("status", {}).get("error")
    if error and obj is not None:
        claim = obj["metadata"].get("annotations", {}).get(bodies.CLAIM_ANNOTATION, "")
        raise RunFailedError(
            f"the snapshot of volume {claim} failed",
            why=str(error.get("message", "the driver gave no reason")),
            next_step="Look at the CSI driver and its VolumeSnapshotClass.",
        )
