"""The audit on a real bus: one chain, whatever happens to planners, and nobody else writes it."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from appshield.audit import lines_of, read_entry, verify
from appshield.bus import Bus, connect_bus
from appshield.bus.api import PREFIX
from appshield.contracts import streams
from appshield.contracts.audit import AuditEntry
from appshield.contracts.permissions import USERS
from appshield.contracts.requests import RequestPause
from appshield.contracts.subjects import AUDITED, audit
from appshield.errors import DeniedError
from audit_events import event
from planner_processes import Plant, plant
from planner_world import APP
from waiting import wait_until

NOTHING: Any = type("Nothing", (), {"segments": (), "vaults": frozenset()})()
TOLD = 200
KILLS = 2
DEADLINE_S = 60.0


async def entries(bus: Bus) -> list[AuditEntry]:
    return [read_entry(line) async for line in lines_of(bus)]


async def recorded(bus: Bus, identities: set[str]) -> list[AuditEntry]:
    """Wait until all of these are in the audit."""

    async def look() -> list[AuditEntry] | None:
        found = await entries(bus)
        return found if identities <= {entry.event.id for entry in found} else None

    return await wait_until(look, deadline_s=DEADLINE_S, what="everything is recorded")


async def test_planners_that_are_killed_leave_one_chain_with_everything_once(
    tmp_path: Path,
) -> None:
    """Killed in the middle of many entries, again and again, while others wait to lead."""
    async with plant(tmp_path) as running:
        planners = [await running.start_planner() for _ in range(3)]
        identities = {f"e{kill}-{number}" for kill in range(KILLS) for number in range(TOLD)}
        for kill in range(KILLS):
            leader = await running.until_leads(*planners)
            before = len(await entries(running.bus))
            telling = asyncio.create_task(_tell(running, f"e{kill}"))
            await _grown(running.bus, before)
            os.kill(leader.pid or 0, signal.SIGKILL)
            await leader.wait()
            planners.remove(leader)
            await telling
        found = await recorded(running.bus, identities)
        counts = Counter(entry.event.id for entry in found)
        assert set(counts.values()) == {1}
        assert {entry.event.teller for entry in found if entry.event.id in identities} == {"tester"}
        report = await verify(lines_of(running.bus), NOTHING)
        assert report.ok, report.findings
        assert report.last == len(found)


async def _tell(running: Plant, begins: str) -> None:
    for number in range(TOLD):
        await running.bus.publish(event(f"{begins}-{number}"), subject=audit("tester"))


async def _grown(bus: Bus, before: int) -> None:
    async def look() -> bool:
        return len(await entries(bus)) > before

    await wait_until(look, deadline_s=DEADLINE_S, what="something is recorded")


async def test_a_wish_over_the_bus_is_an_entry_with_its_outcome(tmp_path: Path) -> None:
    """By `person`, as the command line or any other tool would; also one that is refused."""
    async with plant(tmp_path) as running:
        planner = await running.start_planner()
        await running.until_leads(planner)
        await running.observe()
        person = running.server.access("person")
        async with connect_bus(person, name="a tool") as bus:
            paused = RequestPause(app=APP, request_id="p1", actor="anna", reason="the move")
            await bus.publish(paused)
            unknown = type(APP)(cluster=APP.cluster, namespace="shop", name="none")
            await bus.publish(RequestPause(app=unknown, request_id="p2", actor="eve"))

            async def look() -> list[AuditEntry] | None:
                found = await entries(bus)
                return found if len(found) == 2 else None

            found = await wait_until(look, deadline_s=DEADLINE_S, what="both are recorded")
        said = {one.event.actor: (one.event.action, one.event.outcome) for one in found}
        assert said == {"anna": ("pause", "admitted"), "eve": ("pause", "refused")}
        assert all(entry.event.trace_id for entry in found)


@pytest.mark.parametrize("user", [user.name for user in USERS if user.name != "planner"])
async def test_nobody_but_the_planner_writes_or_removes_the_audit(
    user: str, embedded_bus: Any
) -> None:
    """The server refuses it, whoever else asks."""
    name = streams.AUDIT.name
    async with connect_bus(embedded_bus.access(user), name="tests") as bus:
        with pytest.raises(DeniedError):
            await bus.append(AUDITED, b"forged", after_sequence=0)
        with pytest.raises(DeniedError):
            await bus.trim(streams.AUDIT, below_sequence=10)
        with pytest.raises(DeniedError):
            await bus.remove_message(streams.AUDIT, 1)
        with pytest.raises(DeniedError):
            await bus.publish_raw(f"{PREFIX}.STREAM.DELETE.{name}", b"", message_id="x")


async def test_the_server_removes_no_single_entry_for_anybody(bus: Bus) -> None:
    """It is told when the stream is made."""
    api: Any = bus
    stream = await api._api.stream(streams.AUDIT.name)
    assert stream.config["deny_delete"] is True


@pytest.mark.parametrize(
    ("user", "tellers"),
    [("snapshotter", ("snapshotter", "planner", "uploader")), ("watcher", ("planner", "uploader"))],
)
async def test_who_sees_nothing_done_tells_nothing(
    user: str, tellers: tuple[str, ...], embedded_bus: Any
) -> None:
    """Nor can anybody tell in the name of another; a watcher sees who wrote and deleted."""
    async with connect_bus(embedded_bus.access(user), name="tests") as bus:
        for teller in tellers:
            with pytest.raises(DeniedError):
                await bus.publish(event("x"), subject=audit(teller))
