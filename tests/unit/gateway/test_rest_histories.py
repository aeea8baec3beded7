"""Names that had several histories of versions: what is shown, and what is never guessed."""

from datetime import UTC, datetime

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS, CATALOG
from appshield.gateway.api.application import PATH
from memory_bus import MemoryBus
from rest_api import CLUSTER, client_of, problem_of, rest_api

APP = AppRef(cluster=CLUSTER, namespace="shop", name="web")
SHOP = PATH + "/applications/shop/web"
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def bus_with_histories(*histories: tuple[str, str, int]) -> MemoryBus:
    """Hold histories of one place: id, state and how many versions each has."""
    bus = MemoryBus()
    for app_id, state, count in histories:
        record = ApplicationRecord(
            app_id=app_id,
            app=APP,
            uid=app_id,
            vault="primary",
            state="active" if state == "active" else "orphaned",
            last_version=count,
            last_backup_at=AT,
        )
        await bus.bucket(APPLICATIONS, ApplicationRecord).put(app_id, record)
        for number in range(1, count + 1):
            facts = VersionFacts(
                app=APP,
                app_id=app_id,
                uid=app_id,
                number=number,
                run="b-1",
                revision="",
                consistency="live",
                cut_at=AT,
                trigger="manual",
            )
            version = VersionRecord(facts=facts, snapshot_id="s", vault="primary", stored_at=AT)
            await bus.bucket(CATALOG, VersionRecord).put(f"{app_id}.{number}", version)
    return bus


async def listed(bus: MemoryBus, query: str = "") -> set[str]:
    """Say to which histories the listed versions belong."""
    async with client_of(rest_api(bus)) as client:
        page = (await client.get(f"{SHOP}/versions{query}")).json()
    return {version["app_id"] for version in page["items"]}


async def test_the_versions_of_what_runs_are_shown() -> None:
    """Others by their id."""
    bus = await bus_with_histories(("a-01", "orphaned", 3), ("a-02", "active", 2))
    assert await listed(bus) == {"a-02"}
    assert await listed(bus, "?history=a-01") == {"a-01"}


async def test_versions_of_before_are_shown_where_what_runs_has_none_yet() -> None:
    """They are what can be restored."""
    bus = await bus_with_histories(("a-01", "orphaned", 3), ("a-02", "active", 0))
    assert await listed(bus) == {"a-01"}


async def test_which_history_is_restored_is_never_guessed() -> None:
    """The answer lists those that there are."""
    bus = await bus_with_histories(("a-01", "orphaned", 3), ("a-02", "active", 2))
    async with client_of(rest_api(bus)) as client:
        answer = await client.post(f"{SHOP}/restores", json={"version": 1})
    detail = str(problem_of(answer.content)["detail"])
    assert answer.status_code == 400
    assert "has 2 histories of versions" in detail
    assert "a-01" in detail
