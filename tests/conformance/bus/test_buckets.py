"""What a bucket of a message bus is: values under keys, with revisions, that can be watched."""

import asyncio

import msgspec
import pytest

from appshield.bus import Bus, Change, KeyExistsError, StaleRevisionError
from appshield.errors import InvalidInputError
from embedded_bus import scratch_bucket
from waiting import wait_until

DEADLINE_S = 15.0


async def test_a_key_is_created_once(bus: Bus) -> None:
    """Create fails where a key is, and works again after it was deleted."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)
    assert await bucket.get("a") is None
    first = await bucket.create("a", "one")
    with pytest.raises(KeyExistsError, match="the key a exists already"):
        await bucket.create("a", "two")
    await bucket.delete("a")
    assert await bucket.get("a") is None
    again = await bucket.create("a", "three")
    assert again > first
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision, entry.key) == ("three", again, "a")


async def test_update_needs_the_present_revision(bus: Bus) -> None:
    """Of two writers who read the same revision only one wins."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    first = await bucket.create("a", 1)
    second = await bucket.update("a", 2, first)
    with pytest.raises(StaleRevisionError, match=f"since revision {first}"):
        await bucket.update("a", 3, first)
    with pytest.raises(StaleRevisionError):
        await bucket.delete("a", revision=first)
    await bucket.delete("a", revision=second)
    await bucket.delete("a", revision=second)
    with pytest.raises(StaleRevisionError):
        await bucket.update("a", 4, second)


async def test_a_key_that_was_never_there_can_be_kept_from_being_first(bus: Bus) -> None:
    """Who comes late and takes it for new fails; who makes it whatever was before does not."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    first = await bucket.update("new", 1, 0)
    with pytest.raises(StaleRevisionError):
        await bucket.update("new", 2, 0)
    with pytest.raises(StaleRevisionError):
        await bucket.delete("new", revision=0)
    entry = await bucket.get("new")
    assert entry is not None
    assert entry.revision == first
    await bucket.delete("late", revision=0)
    await bucket.delete("late", revision=0)
    with pytest.raises(StaleRevisionError):
        await bucket.update("late", 1, 0)
    assert await bucket.get("late") is None
    await bucket.create("late", 2)


async def test_keys_are_chosen_by_prefix(bus: Bus) -> None:
    """Empty means all, a dot at the end means below, else exactly that key."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    for number, key in enumerate(("a.v1", "a.v2", "a", "b.v1")):
        await bucket.put(key, number)
    await bucket.put("a", 7)
    await bucket.delete("a.v2")
    assert await bucket.keys() == ["a", "a.v1", "b.v1"]
    assert await bucket.keys("a.") == ["a.v1"]
    assert await bucket.keys("a") == ["a"]
    assert [(one.key, one.value) async for one in bucket.items("a")] == [("a", 7)]


async def test_keys_have_a_form(bus: Bus) -> None:
    """A key that would be a pattern or break a subject is refused."""
    bucket = bus.bucket(scratch_bucket(), int)
    for key in ("", "a b", "a.*", ">", ".a", "a..b", "a."):
        with pytest.raises(InvalidInputError):
            await bucket.put(key, 1)


async def test_raw_values_pass_through(bus: Bus) -> None:
    """A bucket of raw JSON gives the same text back."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, msgspec.Raw)
    await bucket.put("a", msgspec.Raw(b'{"b": 1}'))
    entry = await bucket.get("a")
    assert entry is not None
    assert bytes(entry.value) == b'{"b": 1}'


async def test_a_watch_begins_with_what_is_there(bus: Bus) -> None:
    """First the present state, then one marker, then changes and deletions."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    await bucket.put("a", 1)
    await bucket.put("gone", 1)
    await bucket.delete("gone")
    stopping = asyncio.Event()
    changes: list[Change[int]] = []

    async def watch() -> None:
        async for change in bucket.watch(stopping=stopping):
            changes.append(change)  # noqa: PERF401 - it never ends

    watching = asyncio.create_task(watch())
    await wait_until(lambda: len(changes) == 2, deadline_s=DEADLINE_S, what="state and marker")
    await bucket.put("b", 2)
    await wait_until(lambda: len(changes) == 3, deadline_s=DEADLINE_S, what="a change")
    await bucket.delete("a")
    await wait_until(lambda: len(changes) == 4, deadline_s=DEADLINE_S, what="a deletion")
    stopping.set()
    async with asyncio.timeout(DEADLINE_S):
        await watching
    said = [(change.key, change.value, change.is_marker) for change in changes]
    assert said == [("a", 1, False), ("", None, True), ("b", 2, False), ("a", None, False)]


async def test_a_watch_may_begin_with_what_was_deleted_lately(bus: Bus) -> None:
    """Once, before the marker; what was written again since is there."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    for key in ("gone", "back"):
        await bucket.put(key, 1)
        await bucket.delete(key)
    await bucket.create("back", 2)
    stopping = asyncio.Event()
    changes: list[Change[int]] = []

    async def watch() -> None:
        async for change in bucket.watch(stopping=stopping, traces=True):
            changes.append(change)  # noqa: PERF401 - it never ends

    watching = asyncio.create_task(watch())
    await wait_until(lambda: len(changes) == 3, deadline_s=DEADLINE_S, what="state and marker")
    stopping.set()
    async with asyncio.timeout(DEADLINE_S):
        await watching
    said = {(change.key, change.value) for change in changes[:2]}
    assert said == {("gone", None), ("back", 2)}
    assert changes[2].is_marker
