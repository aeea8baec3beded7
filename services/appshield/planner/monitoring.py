"""How applications are: what the registry remembers of what the watcher tells."""

from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import HealthChanged
from appshield.planner.registry import Registry


class Monitoring:
    """Takes in the health of applications."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def changed(self, fact: HealthChanged) -> None:
        """Take in the newest fact; one about an object that is gone changes nothing."""
        for record in self._registry.histories_of(fact.app):
            if record.uid == fact.uid and record.state == "active":
                await self._registry.write(with_health(record, fact))


def with_health(record: ApplicationRecord, fact: HealthChanged) -> ApplicationRecord:
    """Return the record with the application's health, and when it was healthy last."""
    if fact.health.status == "Healthy":
        return replace(record, health=fact.health, healthy_until=None, unproven_since=None)
    was_healthy = record.health is not None and record.health.status == "Healthy"
    until = fact.health.since if was_healthy else record.healthy_until
    return replace(record, health=fact.health, healthy_until=until)
