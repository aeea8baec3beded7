"""When were the snapshots cut? Asked of the cluster itself, not of whoever had them made.

While a backup runs, the VolumeSnapshots of the namespace are listed again and again. A snapshot
was not yet asked for when the last list without it was begun; it was made by the creation time
that the driver states, in nanoseconds, on its VolumeSnapshotContent.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from appshield.errors import NotFoundError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT, Object
from appshield.local.demo.facts import Cut

_NANOSECONDS = 1_000_000_000


class SeenSnapshots:
    """The snapshots that were made of each claim of a namespace since observing began."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._claims: dict[str, str] = {}
        self._not_before: dict[str, float] = {}
        self._not_after: dict[str, float] = {}

    def cut_of(self, claim: str) -> Cut:
        """Return when the volume of `claim` was cut; the widest interval when it was twice.

        Raises:
            NotFoundError: no finished snapshot of it was seen.
        """
        made = [uid for uid in self._not_after if self._claims[uid] == claim]
        if not made:
            raise NotFoundError(
                f"no snapshot of the claim {claim} was seen while the backup ran",
                why="the backup did not take one, or its driver states no creation time",
                next_step="Look at the consistency of the version and at the VolumeSnapshotClass",
            )
        return Cut(
            not_before_s=min(self._not_before[uid] for uid in made),
            not_after_s=max(self._not_after[uid] for uid in made),
        )

    def note_snapshots(self, snapshots: list[Object], last_asked_s: float) -> None:
        """Note snapshots that are new since the list that was asked for at `last_asked_s`."""
        for snapshot in snapshots:
            uid = snapshot["metadata"]["uid"]
            claim = snapshot["spec"]["source"].get("persistentVolumeClaimName")
            if claim and uid not in self._known:
                self._known.add(uid)
                self._claims[uid] = claim
                self._not_before[uid] = last_asked_s

    def note_contents(self, contents: list[Object]) -> None:
        """Note the creation times that the driver has stated."""
        for content in contents:
            uid = content["spec"]["volumeSnapshotRef"].get("uid")
            created_ns = content.get("status", {}).get("creationTime")
            if uid in self._claims and created_ns:
                self._not_after[uid] = created_ns / _NANOSECONDS

    def waiting(self) -> bool:
        """Tell whether a snapshot was seen whose creation time is not known yet."""
        return self._claims.keys() != self._not_after.keys()


@contextlib.asynccontextmanager
async def observing_snapshots(cluster: Cluster, namespace: str) -> AsyncIterator[SeenSnapshots]:
    """Observe the snapshots that are made in `namespace` while the context lasts."""
    present = await cluster.list(VOLUME_SNAPSHOT, namespace=namespace)
    seen = SeenSnapshots({snapshot["metadata"]["uid"] for snapshot in present})
    stop = asyncio.Event()
    observing = asyncio.create_task(_observe(cluster, namespace, seen, stop))
    try:
        yield seen
    finally:
        stop.set()
        await observing


async def _observe(
    cluster: Cluster, namespace: str, seen: SeenSnapshots, stop: asyncio.Event
) -> None:
    last_asked_s = time.time()
    while not stop.is_set():
        asked_s = time.time()
        seen.note_snapshots(await cluster.list(VOLUME_SNAPSHOT, namespace=namespace), last_asked_s)
        if seen.waiting():
            seen.note_contents(await cluster.list(VOLUME_SNAPSHOT_CONTENT))
        last_asked_s = asked_s
        # As long as the answer took: the API server is busy with this at most half of the time.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(time.time() - asked_s):
                await stop.wait()
