"""Events of an application over REST: cut in pages, chosen by kind and time, by right."""

from datetime import UTC, datetime, timedelta

from appshield.contracts.applications import ApplicationRecord, PauseChanged
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import RunChanged
from appshield.contracts.streams import APPLICATIONS
from appshield.doors.actions import SEE_APPLICATIONS
from appshield.gateway.api.application import PATH
from memory_bus import MemoryBus
from rest_api import CLUSTER, client_of, rest_api

APP = AppRef(cluster=CLUSTER, namespace="shop", name="web")
EVENTS = PATH + "/applications/shop/web/events"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LOOKER = {"ann": frozenset({(SEE_APPLICATIONS.verb, SEE_APPLICATIONS.resource, "shop")})}


async def bus_with_events(count: int) -> MemoryBus:
    """Tell of so many runs, a minute each, and then of a pause."""
    bus = MemoryBus(now=AT)
    record = ApplicationRecord(app_id="a-1", app=APP, uid="u", vault="primary", state="active")
    await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)
    for number in range(count):
        await bus.publish(
            RunChanged(app=APP, run=f"b-{number}", kind="backup", state="succeeded", epoch=1)
        )
        await bus.pass_time(60)
    await bus.publish(PauseChanged(app=APP, request="r", paused=True))
    return bus


async def test_pages_hold_every_event_once() -> None:
    """The newest first."""
    seen: list[str] = []
    async with client_of(rest_api(await bus_with_events(5))) as client:
        cursor: str | None = ""
        while cursor is not None:
            answer = await client.get(EVENTS, params={"limit": 2, "cursor": cursor})
            page = answer.json()
            seen += [one["run"] or one["kind"] for one in page["items"]]
            cursor = page["next"]
    assert seen == ["pause", "b-4", "b-3", "b-2", "b-1", "b-0"]


async def test_events_are_chosen_by_kind_and_time() -> None:
    """Several kinds may be wanted; one that there is not is an error."""
    async with client_of(rest_api(await bus_with_events(3))) as client:

        async def kinds(**chosen: str | list[str]) -> list[str]:
            answer = await client.get(EVENTS, params=chosen)
            return [one["kind"] for one in answer.json()["items"]]

        assert await kinds(kind="pause") == ["pause"]
        assert await kinds(kind=["pause", "run"]) == ["pause", "run", "run", "run"]
        since = (AT + timedelta(seconds=90)).isoformat()
        assert await kinds(kind="run", since=since) == ["run"]
        assert (await client.get(EVENTS, params={"kind": "weather"})).status_code == 400


async def test_who_may_not_see_runs_is_told_nothing_of_them() -> None:
    """Not even how many there are."""
    async with client_of(rest_api(await bus_with_events(3), LOOKER), "ann") as client:
        page = (await client.get(EVENTS)).json()
    assert ([one["kind"] for one in page["items"]], page["total"]) == (["pause"], 1)
