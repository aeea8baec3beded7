"""A message can be stored right after another one, so that two writers never both go on."""

import asyncio

import pytest

from appshield.bus import Bus, StaleRevisionError
from embedded_bus import put, scratch_stream, subject_in


async def test_only_what_follows_the_newest_is_stored(bus: Bus) -> None:
    """The first of a subject follows 0; other subjects of the stream do not count."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    subject = subject_in(stream, "chain")
    assert await bus.newest(stream, subject) is None
    await put(bus, stream, "other", name="beside")
    first = await bus.append(subject, b"one", after_sequence=0)
    await put(bus, stream, "another", name="beside")
    second = await bus.append(subject, b"two", after_sequence=first.sequence)
    for wrong in (0, first.sequence, second.sequence + 1):
        with pytest.raises(StaleRevisionError):
            await bus.append(subject, b"three", after_sequence=wrong)
    newest = await bus.newest(stream, subject)
    assert newest is not None
    assert (newest.body, newest.sequence) == (b"two", second.sequence)


async def test_of_many_writers_one_goes_on(bus: Bus) -> None:
    """Each that lost sees it."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    subject = subject_in(stream)
    ends = await asyncio.gather(
        *(bus.append(subject, f"{number}".encode(), after_sequence=0) for number in range(8)),
        return_exceptions=True,
    )
    assert sum(not isinstance(end, BaseException) for end in ends) == 1
    assert sum(isinstance(end, StaleRevisionError) for end in ends) == 7
