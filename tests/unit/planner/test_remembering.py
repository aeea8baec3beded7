"""What the planner keeps in memory is found to be behind as soon as it matters."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from appshield.bus import StaleRevisionError
from appshield.contracts.streams import POLICIES
from appshield.errors import UnavailableError
from appshield.planner.leading import Leadership
from appshield.planner.remembering import Remembered
from memory_bus import MemoryBus


class Unsure:
    """A bus that does what it is told, and says once that it does not answer."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.fails = False

    def bucket(self, *given: Any) -> Any:
        return _UnsureBucket(self, self._bus.bucket(*given))


class _UnsureBucket:
    def __init__(self, unsure: Unsure, bucket: Any) -> None:
        self._unsure = unsure
        self._bucket = bucket

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._bucket, name)
        if name not in {"create", "update", "delete"}:
            return found  # type: ignore[no-any-return]  # a method of the bucket

        async def then_fail(*given: Any, **named: Any) -> Any:
            done = await found(*given, **named)
            if self._unsure.fails:
                self._unsure.fails = False
                raise UnavailableError("the bus does not answer")
            return done

        return then_fail


class Held(Leadership):
    """A lease that is always ours."""

    def __init__(self) -> None:
        return

    def ensure(self) -> None:
        return


async def _remembered() -> tuple[Remembered[str], Unsure, MemoryBus]:
    bus = MemoryBus()
    unsure = Unsure(bus)
    as_bus: Any = unsure
    remembered = Remembered(as_bus, POLICIES, str, Held())
    await remembered.load()
    return remembered, unsure, bus


async def _fails(do: Awaitable[Any]) -> None:
    with pytest.raises(UnavailableError):
        await do


async def test_a_write_that_was_done_though_it_failed_is_found_out() -> None:
    """The next write decides again on what is really there, and then succeeds."""
    remembered, unsure, bus = await _remembered()
    await remembered.write("key", "first")
    unsure.fails = True
    await _fails(remembered.write("key", "second"))

    with pytest.raises(StaleRevisionError):
        await remembered.write("key", "third")
    assert remembered.get("key") == "second"
    await remembered.write("key", "third")
    found = await bus.bucket(POLICIES, str).get("key")
    assert found is not None
    assert found.value == "third"


async def test_a_key_that_was_made_though_it_failed_is_found_out() -> None:
    """Else it could never be written again."""
    remembered, unsure, _ = await _remembered()
    unsure.fails = True
    await _fails(remembered.write("key", "first"))

    with pytest.raises(StaleRevisionError):
        await remembered.write("key", "second")
    assert await remembered.write("key", "second") == "second"


async def test_what_another_planner_wrote_is_read_before_the_next_decision() -> None:
    """The first write is refused; after it memory is as the bucket."""
    remembered, _, bus = await _remembered()
    await remembered.write("key", "ours")
    await bus.bucket(POLICIES, str).put("key", "theirs")

    with pytest.raises(StaleRevisionError):
        await remembered.write("key", "ours again")
    with pytest.raises(StaleRevisionError):
        await remembered.write("key", "ours again")
    assert remembered.get("key") == "theirs"
    assert await remembered.write("key", "ours again") == "ours again"


async def test_what_was_deleted_though_it_failed_is_gone() -> None:
    """Deleting it again finds nothing, and it can be made again."""
    remembered, unsure, _ = await _remembered()
    await remembered.write("key", "value")
    unsure.fails = True
    await _fails(remembered.delete("key"))

    with pytest.raises(StaleRevisionError):
        await remembered.delete("key")
    assert remembered.get("key") is None
    await remembered.delete("key")
    assert await remembered.write("key", "new") == "new"
