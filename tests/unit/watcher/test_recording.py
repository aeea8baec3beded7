"""Documents are on record once, with who wrote them, whoever watches when."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from appshield.contracts import decode
from appshield.contracts.audit import AuditEvent
from appshield.contracts.streams import OBSERVATIONS
from appshield.kubernetes import Object
from appshield.language.writers import UNKNOWN_WRITER, writer_annotations
from appshield.watcher.recording import Recording
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from waiting import wait_until

SINCE = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Handed:
    """The sink behind: it counts what is handed on."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def replace(self, objects: list[Object]) -> None:
        """Take the complete set."""
        self.calls.append("replace")

    async def changed(self, obj: Object) -> None:
        """Take an object that was added or modified."""
        self.calls.append("changed")

    async def deleted(self, obj: Object) -> None:
        """Take the last state of an object that is gone."""
        self.calls.append("deleted")


class Scene:
    """A bus, and as many watchers as a test makes, one after the other."""

    def __init__(self) -> None:
        self.bus = MemoryBus("watcher")
        self.handed = Handed()

    async def watch(self, *steps: tuple[str, Any]) -> list[tuple[str, str, str, str]]:
        """Let a new watcher see this; return all that is on record: action, what, who, state."""
        recording = Recording(self.bus, "test", FixedClock(SINCE), SINCE)
        sink = recording.noting("Policy", self.handed)
        stopping = asyncio.Event()
        telling = asyncio.create_task(recording.keep_told(stopping))
        for step, what in steps:
            await getattr(sink, step)(what)
        await wait_until(lambda: recording.told, deadline_s=30, what="all told")
        stopping.set()
        await telling
        found = [decode(stored.body) async for stored in self.bus.read(OBSERVATIONS)]
        events = [event for event in found if isinstance(event, AuditEvent)]
        assert {(one.door, one.outcome) for one in events} <= {("object", "succeeded")}
        return [(one.action, one.object, one.actor, one.cause) for one in events]


def _gold(generation: int, by: str = "", *, age: timedelta = -timedelta(hours=1)) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {
            "name": "gold",
            "uid": "u-1",
            "generation": generation,
            "creationTimestamp": (SINCE - age).isoformat(),
            "annotations": writer_annotations(by, generation) if by else {},
        },
        "spec": {},
    }


ANNAS = ("write-document", "Policy gold", "anna", "generation 1")
BOBS = ("write-document", "Policy gold", "bob", "generation 2")


async def test_each_document_is_on_record_once_with_its_writer() -> None:
    """However often it is seen: statuses change all the time; and it is handed on each time."""
    scene = Scene()
    first, second = _gold(1, "anna"), _gold(2, "bob")
    steps = [("changed", first), ("changed", first), ("changed", second), ("changed", second)]
    assert await scene.watch(("replace", [first]), *steps) == [ANNAS, BOBS]
    assert scene.handed.calls == ["replace", *["changed"] * 4]
    assert await scene.watch(("replace", [second])) == [ANNAS, BOBS]


async def test_what_was_written_while_nobody_watched_is_told_later() -> None:
    """By whoever it was, or by nobody known."""
    scene = Scene()
    await scene.watch(("replace", []), ("changed", _gold(1, "anna")))
    told = await scene.watch(("replace", [_gold(3)]))
    assert told == [ANNAS, ("write-document", "Policy gold", UNKNOWN_WRITER, "generation 3")]


async def test_a_document_that_is_gone_is_told_once() -> None:
    """Also where it went while nobody watched. Who it was is told by the gate."""
    gone = ("delete-document", "Policy gold", "", "")
    scene = Scene()
    seen = await scene.watch(("replace", [_gold(1, "anna")]), ("deleted", _gold(1, "anna")))
    assert seen == [ANNAS, gone]
    assert await scene.watch(("replace", [])) == [ANNAS, gone]
    other = Scene()
    await other.watch(("replace", [_gold(1, "anna")]))
    assert await other.watch(("replace", [])) == [ANNAS, gone]


async def test_what_was_there_before_is_told_when_it_changes() -> None:
    """Nobody has thousands of entries for having installed AppShield."""
    scene, old = Scene(), timedelta(days=1)
    assert await scene.watch(("replace", [_gold(1, age=old)])) == []
    assert await scene.watch(("replace", [_gold(2, "bob", age=old)])) == [BOBS]
