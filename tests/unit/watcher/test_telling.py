"""Each change is told once; what was missed is told late; AppShield's own writes tell nothing."""

from typing import Any

import pytest

from appshield.bus import Receipt
from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.message import Message
from appshield.errors import UnavailableError
from appshield.kubernetes import Object
from appshield.watcher.telling import Telling
from memory_bus import MemoryBus


def application(*, uid: str = "u-1", version: str = "1", name: str = "shop", **spec: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": version,
            "generation": 1,
        },
        "spec": {"type": "web", **spec},
    }


class Reports:
    """Keeps what people would be told."""

    def __init__(self) -> None:
        self.refused_because: list[str] = []

    async def refused(self, obj: Object, why: str) -> None:
        self.refused_because.append(why)


class ListeningBus(MemoryBus):
    """Keeps every message that is published, also when a later one replaces it."""

    def __init__(self) -> None:
        super().__init__("watcher")
        self.facts: list[ApplicationObserved] = []
        self.away = False

    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        if self.away:
            raise UnavailableError("the bus is away")
        assert isinstance(message, ApplicationObserved)
        self.facts.append(message)
        return await super().publish(message, subject=subject)


class Place:
    def __init__(self) -> None:
        self.bus = ListeningBus()
        self.reports = Reports()
        self.telling = self.watcher()

    def watcher(self, cluster: str = "test") -> Telling:
        return Telling(bus=self.bus, cluster=cluster, reporter=self.reports)

    def told(self) -> list[tuple[str, bool]]:
        """List what was published since the last look, however often the subject was written."""
        told = [(fact.uid, fact.exists) for fact in self.bus.facts]
        self.bus.facts.clear()
        return told


@pytest.fixture
async def place() -> Place:
    return Place()


async def test_a_change_is_told_once(place: Place) -> None:
    """The same object again, as after a lost watch, is no news."""
    await place.telling.changed(application())
    await place.telling.changed(application())
    assert place.told() == [("u-1", True)]
    await place.telling.changed(application(version="2", criticality="gold"))
    assert place.told() == [("u-1", True)]


async def test_a_status_that_appshield_writes_tells_nothing(place: Place) -> None:
    """Else every status would cause a fact, and every fact a status."""
    await place.telling.changed(application())
    written = {**application(version="2"), "status": {"revision": "r", "lastVersion": 7}}
    await place.telling.changed(written)
    assert place.told() == [("u-1", True)]


async def test_a_deletion_that_was_missed_is_told_late(place: Place) -> None:
    """A watcher that was down compares the list with what it had told; other clusters' stay."""
    await place.telling.replace([application(), application(uid="u-2", name="other")])
    await place.watcher("elsewhere").replace([application(uid="u-9")])
    place.told()
    again = place.watcher()
    assert not again.synced
    await again.replace([application()])
    assert again.synced
    assert place.told() == [("u-2", False)]


async def test_an_object_that_was_replaced_by_another_of_its_name_is_told_as_both(
    place: Place,
) -> None:
    """The new one exists, the old one does not; their histories are two."""
    await place.telling.replace([application()])
    place.told()
    await place.telling.replace([application(uid="u-2", version="5")])
    assert sorted(place.told()) == [("u-1", False), ("u-2", True)]


async def test_a_deletion_that_is_seen_is_told_and_forgotten(place: Place) -> None:
    """The next list does not tell it again."""
    await place.telling.changed(application())
    await place.telling.deleted(application(version="3"))
    await place.telling.replace([])
    assert place.told() == [("u-1", True), ("u-1", False)]


async def test_a_refused_document_is_told_and_reported_once(place: Place) -> None:
    """The fact says why and carries nothing of what is wrong; the event says it to people."""
    wrong = application(version="2", components=[{"name": "db"}])
    await place.telling.changed(wrong)
    await place.telling.changed(wrong)
    [fact] = place.bus.published(streams.STATE)
    assert isinstance(fact, ApplicationObserved)
    assert "spec.components[0].workload" in fact.refused
    assert (fact.revision, fact.protections) == ("", ())
    assert place.reports.refused_because == [fact.refused]


async def test_a_fact_that_could_not_be_published_is_told_again(place: Place) -> None:
    """The cursor moves after the fact, never before it."""
    place.bus.away = True
    with pytest.raises(UnavailableError):
        await place.telling.changed(application())
    place.bus.away = False
    await place.telling.changed(application())
    assert place.told() == [("u-1", True)]
