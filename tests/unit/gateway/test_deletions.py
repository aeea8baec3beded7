"""Who deletes a document is put on record, if there is one, and holds up nobody."""

import pytest

from admission_reviews import review
from appshield.contracts import decode
from appshield.contracts.audit import AuditEvent
from appshield.contracts.streams import OBSERVATIONS
from appshield.errors import UnavailableError
from appshield.gateway.deletions import Deletions
from appshield.gateway.reviewing import AdmissionRequest, read_review
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planned_versions import NOW

SHOP = {
    "apiVersion": "appshield.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "shop", "namespace": "sales", "uid": "u-1"},
    "spec": {},
}
GOLD = {**SHOP, "kind": "Policy", "metadata": {"name": "gold", "uid": "u-2"}}


class Standing:
    """What the API server has."""

    def __init__(self, *, there: bool = True, away: bool = False) -> None:
        self._there = there
        self._away = away

    async def is_there(self, _: AdmissionRequest) -> bool:
        """Say whether the object is there."""
        if self._away:
            raise UnavailableError("the API server is away")
        return self._there


async def _told(body: bytes, standing: Standing) -> list[AuditEvent]:
    bus = MemoryBus("gateway")
    await Deletions(bus, standing, "test", FixedClock(NOW)).note(read_review(body))
    found = [decode(stored.body) async for stored in bus.read(OBSERVATIONS)]
    return [event for event in found if isinstance(event, AuditEvent)]


async def test_who_deletes_a_document_is_told_before_it_is_gone() -> None:
    """As the API server knows them; the watcher's word that it is gone has the same request."""
    [event] = await _told(review("DELETE", SHOP, user="anna"), Standing())
    assert (event.actor, event.action, event.outcome) == ("anna", "delete-document", "begun")
    assert (event.door, event.object, str(event.app.name)) == (
        "object",
        "Application sales/shop",
        "shop",
    )
    assert event.request_id == "u-1"
    [event] = await _told(review("DELETE", GOLD, user="anna"), Standing())
    assert (event.object, event.app.name) == ("Policy gold", "")


@pytest.mark.parametrize(
    ("body", "standing"),
    [
        (review("DELETE", SHOP), Standing(there=False)),
        (review("DELETE", SHOP), Standing(away=True)),
        (review("DELETE", SHOP, dryRun=True), Standing()),
        (review("UPDATE", SHOP, SHOP), Standing()),
    ],
    ids=["nothing-there", "nobody-to-ask", "dry-run", "no-deletion"],
)
async def test_what_deletes_nothing_is_not_told(body: bytes, standing: Standing) -> None:
    """Nor what nobody can make sure of; and nothing is raised, so that nobody is held up."""
    assert await _told(body, standing) == []
