"""One watch of a bucket for many gives each of them what a watch of their own would give."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appshield.bus import Bucket, Change, SharedWatch
from appshield.contracts.stream_specs import BucketSpec
from memory_bus import MemoryBus
from waiting import wait_until

SPEC = BucketSpec(name="APPSHIELD_TEST", purpose="a test", bytes_max=1024 * 1024)


class Place:
    """A bucket, one watch of it, and whoever follows."""

    def __init__(self) -> None:
        self.bucket: Bucket[str] = MemoryBus("tester").bucket(SPEC, str)
        self.shared = SharedWatch(self.bucket)
        self.stopping = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def keep(self) -> None:
        """Begin to watch the bucket."""
        self.tasks.append(asyncio.create_task(self.shared.keep(self.stopping)))

    def follow(self, *, traces: bool = False) -> list[Change[str]]:
        """Begin to follow; return what has come so far, which grows."""
        seen: list[Change[str]] = []
        take = seen.append

        async def follow() -> None:
            async for change in self.shared.watch(stopping=self.stopping, traces=traces):
                take(change)

        self.tasks.append(asyncio.create_task(follow()))
        return seen


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    made.stopping.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*made.tasks)


def said(seen: list[Change[str]]) -> list[tuple[str, str | None]]:
    return [(change.key, change.value) for change in seen]


async def test_all_who_follow_get_everything_in_order(place: Place) -> None:
    """What was there, the marker, and each change."""
    await place.bucket.put("a", "one")
    everybody = [place.follow() for _ in range(3)]
    place.keep()
    await wait_until(lambda: all(everybody), deadline_s=30, what="what was there")
    await place.bucket.put("b", "two")
    await place.bucket.delete("a")
    wanted = [("a", "one"), ("", None), ("b", "two"), ("a", None)]
    await wait_until(
        lambda: [said(seen) for seen in everybody] == [wanted] * 3, deadline_s=30, what="all of it"
    )


async def test_who_comes_later_is_given_what_is_there_by_then(place: Place) -> None:
    """Nothing of what is gone, and the marker once."""
    place.keep()
    early = place.follow()
    await place.bucket.put("a", "one")
    await place.bucket.put("b", "two")
    await place.bucket.put("a", "three")
    await wait_until(lambda: ("a", "three") in said(early), deadline_s=30, what="the writes")
    await place.bucket.delete("b")
    await wait_until(lambda: ("b", None) in said(early), deadline_s=30, what="the deletion")
    late = place.follow()
    await wait_until(lambda: bool(late), deadline_s=30, what="what is there")
    assert said(late) == [("a", "three"), ("", None)]
    await place.bucket.put("c", "four")
    await wait_until(lambda: ("c", "four") in said(late), deadline_s=30, what="what follows")


async def test_traces_of_what_is_gone_are_for_who_asks_for_them(place: Place) -> None:
    """Also for who comes later; nobody else hears of what was never there."""
    await place.bucket.put("a", "one")
    await place.bucket.delete("a")
    await place.bucket.put("b", "two")
    early, asking = place.follow(), place.follow(traces=True)
    place.keep()
    await wait_until(lambda: ("b", "two") in said(early), deadline_s=30, what="what is there")
    await place.bucket.delete("b")
    gone = [("a", None), ("b", None)]

    def heard(seen: list[Change[str]]) -> list[tuple[str, str | None]]:
        return [one for one in said(seen) if one[0] and one[1] is None]

    await wait_until(lambda: heard(asking) == gone, deadline_s=30, what="traces")
    late, late_asking = place.follow(), place.follow(traces=True)
    await place.bucket.put("c", "three")
    everybody = (early, asking, late, late_asking)
    await wait_until(
        lambda: all(said(seen)[-1:] == [("c", "three")] for seen in everybody),
        deadline_s=30,
        what="what follows",
    )
    assert heard(late_asking) == gone
    assert [heard(seen) for seen in (early, late)] == [[("b", None)], []]
