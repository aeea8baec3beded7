"""Whole backups through a network and a service that fail: the repository is valid throughout.

A first version is there while a second one is written through faults.
"""

import asyncio
import itertools

import pytest

from appshield.errors import AppShieldError, DamagedError, UnavailableError
from appshield.objectstore import S3Credentials, S3Location, StoreFullError
from faulty_places import PASSING_TROUBLE, FaultyPlace, every
from repository_content import PASSWORD, back_up, noise
from s3_gate import full_for, nothing, s3_gate
from s3_impostor import Reply
from waiting import wait_until

FIRST = {b"a": noise(400_000), b"b": noise(100_000, 1)}
SECOND = {b"a": noise(400_000), b"c": noise(900_000, 2), b"d": noise(50_000, 3)}
PACK_BYTES = 200_000


class Place(FaultyPlace):
    """A repository with one version."""

    def __init__(self, location: S3Location, credentials: S3Credentials) -> None:
        super().__init__(location, credentials, PASSWORD)
        back_up(self.direct, FIRST, pack_bytes=PACK_BYTES)

    def second(self, endpoint: str) -> None:
        """Write the second version."""
        back_up(self.through(endpoint), SECOND, pack_bytes=PACK_BYTES)


@pytest.fixture
async def place(s3_folder: S3Location, s3_credentials: S3Credentials) -> Place:
    return await asyncio.to_thread(Place, s3_folder, s3_credentials)


@pytest.mark.parametrize("reply", PASSING_TROUBLE.values(), ids=PASSING_TROUBLE)
def test_a_backup_succeeds_when_each_third_request_fails(place: Place, reply: Reply) -> None:
    """Each is sent again; the version is whole."""
    with s3_gate(place.location.endpoint) as gate, place.watched():
        gate.fails = every(3, reply)
        place.second(gate.endpoint)
        assert gate.refused > 3
    assert place.versions() == 2


async def test_a_backup_succeeds_over_a_slow_network_that_resets_connections(
    place: Place,
) -> None:
    """Latency on each packet, and every open connection cut again and again."""
    async with place.proxied() as (proxy, endpoint):
        proxy.latency_s = 0.01
        with place.watched():
            running = asyncio.ensure_future(asyncio.to_thread(place.second, endpoint))
            cuts = 0
            while not running.done():
                await asyncio.wait({running}, timeout=0.3)
                proxy.cut()
                cuts += 1
            await running
        assert cuts > 1
    assert await asyncio.to_thread(place.versions) == 2


async def test_answers_that_end_early_are_asked_for_again(place: Place) -> None:
    """A body that is cut off is never taken for the whole."""
    async with place.proxied() as (proxy, endpoint):
        running = asyncio.ensure_future(asyncio.to_thread(place.second, endpoint))
        while not running.done():
            proxy.cut_after_bytes = 1500
            await asyncio.wait({running}, timeout=0.3)
        await running
    assert await asyncio.to_thread(place.versions) == 2


async def test_a_network_that_swallows_everything_for_a_while_is_waited_for(place: Place) -> None:
    """Requests end by their timeout and are sent again."""
    async with place.proxied() as (proxy, endpoint):
        with place.watched():
            proxy.blackhole = True
            running = asyncio.ensure_future(asyncio.to_thread(place.second, endpoint))
            await asyncio.wait({running}, timeout=3)
            assert not running.done()
            proxy.blackhole = False
            await running
    assert await asyncio.to_thread(place.versions) == 2


@pytest.mark.parametrize("part", ["/data/", "/index/", "/snapshots/", "/locks/"])
def test_a_full_store_ends_the_backup_and_changes_no_version(place: Place, part: str) -> None:
    """It says that the store is full; when there is room again, the backup succeeds."""
    with s3_gate(place.location.endpoint) as gate:
        with place.watched():
            gate.fails = full_for(part)
            with pytest.raises(StoreFullError, match="full"):
                place.second(gate.endpoint)
        assert place.versions() == 1
        gate.fails = nothing
        place.second(gate.endpoint)
    assert place.versions() == 2


@pytest.mark.parametrize("number", [4, 7, 11, 14])
def test_a_store_that_is_gone_from_some_moment_on_leaves_a_sound_repository(
    place: Place, number: int
) -> None:
    """Wherever the backup is: it fails with one error, and the next one succeeds."""
    with s3_gate(place.location.endpoint) as gate:
        count = itertools.count()
        gate.fails = lambda *_: Reply(None) if next(count) >= number else None
        with place.watched(), pytest.raises(UnavailableError):
            place.second(gate.endpoint)
        assert place.versions() == 1
        gate.fails = nothing
        place.second(gate.endpoint)
    assert place.versions() == 2


def test_a_body_that_arrives_altered_is_damage_and_never_content(place: Place) -> None:
    """An answer with one wrong byte is not believed, and nothing is written on its ground."""
    (name,) = [found.name for found in place.direct.list("index")]
    altered = bytearray(place.direct.get(name))
    altered[len(altered) // 2] ^= 1
    with s3_gate(place.location.endpoint) as gate:
        gate.fails = lambda method, target: (
            Reply(200, bytes(altered)) if method == "GET" and target.endswith(name) else None
        )
        with pytest.raises(DamagedError, match=r"index"):
            place.second(gate.endpoint)
    assert place.versions() == 1


async def test_locks_of_a_backup_that_failed_do_not_stop_the_next_one(place: Place) -> None:
    """Where the store came back in time, the lock is removed with it."""
    with s3_gate(place.location.endpoint) as gate:
        gate.fails = full_for("/data/")
        with pytest.raises(AppShieldError):
            await asyncio.to_thread(place.second, gate.endpoint)

    def no_lock() -> bool:
        return not list(place.direct.list("locks"))

    await wait_until(lambda: asyncio.to_thread(no_lock), deadline_s=10, what="no lock is left")
