"""Copying through networks and services that fail, on the way to the target and from the source.

The target holds the first version while the second one is copied. It is valid at every instant, and
what arrived before a fault ended the work is not sent again.
"""

import asyncio
import itertools
from contextlib import AbstractContextManager

import pytest
from msgspec.structs import replace

from appshield.errors import DamagedError, UnavailableError
from appshield.objectstore import ObjectStore, S3Credentials, S3Location, StoreFullError
from appshield.repository import (
    PackSettings,
    Repository,
    RepositoryLock,
    copy_tree,
    seal_snapshot,
)
from faulty_places import PASSING_TROUBLE, FaultyPlace, every
from repository_content import PASSWORD, SWIFT, back_up, document, noise
from s3_gate import Gate, full_for, nothing, s3_gate
from s3_impostor import Reply

THEIRS = "the target's own password"
FIRST = {b"a": noise(300_000), b"b": noise(100_000, 1)}
SECOND = {b"a": noise(300_000), **{b"%d" % seed: noise(90_000, seed) for seed in range(2, 12)}}
SMALL = PackSettings(pack_bytes=100_000)
BLOBS = 12
"""What of the second version is not in the first: each file once, and two directories."""


class Places:
    """A source with two versions, and a target with the first of them."""

    def __init__(self, location: S3Location, credentials: S3Credentials) -> None:
        self.source = self._place(location, credentials, "source", PASSWORD)
        self.target = self._place(location, credentials, "target", THEIRS)
        first, self.tree = (
            back_up(self.source.direct, files, pack_bytes=100_000) for files in (FIRST, SECOND)
        )
        source = Repository.open(self.source.direct, PASSWORD)
        Repository.create(self.target.direct, THEIRS, like=source)
        self._copy(self.source.direct, self.target.direct, first)

    def copy(self, *, source: str = "", target: str = "") -> int:
        """Copy the second version over these endpoints; return how many blobs had to be sent."""
        read = self.source.through(source) if source else self.source.direct
        written = self.target.through(target) if target else self.target.direct
        return self._copy(read, written, self.tree)

    def packs(self) -> int:
        return sum(1 for _ in self.target.direct.list("data"))

    def forget_locks(self) -> None:
        """Remove the lock of a worker that is gone, as its successor does."""
        for found in list(self.target.direct.list("locks")):
            self.target.direct.delete(found.name)

    @staticmethod
    def _place(
        location: S3Location, credentials: S3Credentials, name: str, password: str
    ) -> FaultyPlace:
        folder = replace(location, prefix=f"{location.prefix.rstrip('/')}/{name}")
        return FaultyPlace(folder, credentials, password)

    @staticmethod
    def _copy(read: ObjectStore, written: ObjectStore, tree: bytes) -> int:
        source = Repository.open(read, PASSWORD)
        target = Repository.open(written, THEIRS)
        with RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock:
            report = copy_tree(source, target, lock, tree, settings=SMALL)
            target.publish_snapshot(seal_snapshot(target, document(tree)), lock=lock)
        return report.blobs


@pytest.fixture
async def places(s3_folder: S3Location, s3_credentials: S3Credentials) -> Places:
    return await asyncio.to_thread(Places, s3_folder, s3_credentials)


def gate(places: Places) -> AbstractContextManager[Gate]:
    return s3_gate(places.target.location.endpoint)


@pytest.mark.parametrize("reply", PASSING_TROUBLE.values(), ids=PASSING_TROUBLE)
def test_a_copy_succeeds_when_each_third_request_fails(places: Places, reply: Reply) -> None:
    """Whichever side it asks, each is sent again, and the copy is whole."""
    with gate(places) as faulty, places.target.watched():
        faulty.fails = every(3, reply)
        assert places.copy(source=faulty.endpoint, target=faulty.endpoint) == BLOBS
        assert faulty.refused > 3
    assert places.target.versions() == 2


async def test_a_copy_succeeds_over_slow_networks_that_reset_connections(places: Places) -> None:
    """Latency on each packet, and every open connection of both sides cut again and again."""
    async with places.target.proxied() as (proxy, endpoint):
        proxy.latency_s = 0.005
        with places.target.watched():
            copying = asyncio.to_thread(places.copy, source=endpoint, target=endpoint)
            running = asyncio.ensure_future(copying)
            cuts = 0
            while not running.done():
                await asyncio.wait({running}, timeout=0.3)
                proxy.cut()
                cuts += 1
            assert await running == BLOBS
        assert cuts > 1
    assert await asyncio.to_thread(places.target.versions) == 2


async def test_bodies_that_end_early_are_asked_for_again(places: Places) -> None:
    """What comes from the source is never taken for the whole when it was cut off."""
    async with places.source.proxied() as (proxy, endpoint):
        running = asyncio.ensure_future(asyncio.to_thread(places.copy, source=endpoint))
        while not running.done():
            proxy.cut_after_bytes = 30_000
            await asyncio.wait({running}, timeout=0.3)
        assert await running == BLOBS
    assert await asyncio.to_thread(places.target.versions) == 2


async def test_a_network_that_swallows_everything_for_a_while_is_waited_for(
    places: Places,
) -> None:
    """Requests to either side end by their timeout and are sent again."""
    async with places.target.proxied() as (proxy, endpoint):
        with places.target.watched():
            proxy.blackhole = True
            copying = asyncio.to_thread(places.copy, source=endpoint, target=endpoint)
            running = asyncio.ensure_future(copying)
            await asyncio.wait({running}, timeout=2.5)
            assert not running.done()
            proxy.blackhole = False
            assert await running == BLOBS
    assert await asyncio.to_thread(places.target.versions) == 2


@pytest.mark.parametrize("part", ["/data/", "/index/", "/snapshots/"])
def test_a_full_bucket_ends_the_copy_and_what_arrived_is_not_sent_again(
    places: Places, part: str
) -> None:
    """It says that the store is full; when there is room again, only the rest is sent."""
    with gate(places) as faulty:
        with places.target.watched():
            faulty.fails = full_for(part)
            with pytest.raises(StoreFullError, match="full"):
                places.copy(target=faulty.endpoint)
        assert places.target.versions() == 1
        faulty.fails = nothing
        sent = places.copy(target=faulty.endpoint)
    assert (sent == BLOBS) == (part == "/data/")
    assert places.target.versions() == 2


@pytest.mark.parametrize("number", [14, 22])
def test_a_target_that_is_gone_from_some_moment_on_is_valid_and_gets_only_the_rest(
    places: Places, number: int
) -> None:
    """Wherever the copy is: it fails with one error, and the next one goes on."""
    before = places.packs()
    with gate(places) as faulty:
        count = itertools.count()
        faulty.fails = lambda *_: Reply(None) if next(count) >= number else None
        with places.target.watched(), pytest.raises(UnavailableError):
            places.copy(target=faulty.endpoint)
        assert places.target.versions() == 1
        arrived = places.packs() - before
        faulty.fails = nothing
        places.forget_locks()
        sent = places.copy(target=faulty.endpoint)
    assert (sent < BLOBS) == (arrived > 0)
    assert places.target.versions() == 2


def test_a_body_that_arrives_altered_is_damage_and_is_not_carried_on(places: Places) -> None:
    """Wrong bytes in a pack of the source end the copy, and nothing of it is in the target."""
    packs = [one.name for one in places.source.direct.list("data") if one.size_bytes > 80_000]
    for name in packs:
        altered = bytearray(places.source.direct.get(name))
        altered[1000] ^= 1
        places.source.direct.put(name, bytes(altered))
    with places.target.watched(), pytest.raises(DamagedError, match="it cannot be read"):
        places.copy()
    assert places.target.versions() == 1
