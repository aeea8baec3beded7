"""Signals on a real message bus: duplicates, a bus that is killed, and other tools' subjects."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, Protection
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.stream_specs import MIB, StreamSpec
from appshield.planner.signalling import MAPPED, mapped_streams
from planner_processes import Plant, plant
from planner_world import APP
from waiting import wait_until

SIGNAL = "appshield.v1.signal.deployed"
RULE = Protection(
    name="deployed", trigger="signal", signal="deployed", when="payload.app == app.name"
)
DEADLINE_S = 90
BODY = b'{"app": "shop"}'
EVENT = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "deployed"}


async def _observed(running: Plant, rule: Protection = RULE) -> None:
    await running.bus.publish(
        ApplicationObserved(
            app=APP,
            uid="uid-1",
            resource_version="1",
            exists=True,
            revision="r1",
            protections=(rule,),
        )
    )
    known = running.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
    await wait_until(known.keys, deadline_s=DEADLINE_S, what="the application is known")


async def _ended(running: Plant, count: int) -> list[Run]:
    """Wait until there are so many runs and all of them have ended."""

    async def look() -> list[Run] | None:
        runs = await running.runs()
        over = all(run.state in FINAL_STATES for run in runs)
        return runs if len(runs) == count and over else None

    return await wait_until(look, deadline_s=DEADLINE_S, what=f"{count} runs have ended")


def _outside(running: Plant) -> Callable[..., Awaitable[object]]:
    return running.bus.publish_raw


async def test_signals_in_every_form_are_one_run_each_though_the_bus_is_killed(
    tmp_path: Path,
) -> None:
    """Plain, both modes of CloudEvents, and each again after the server has forgotten it."""
    async with plant(tmp_path) as running:
        running.workers.gate.set()
        await running.bus.ensure_stream(replace(streams.SIGNALS, duplicate_window_s=0.1))
        planner = await running.start_planner()
        await running.until_leads(planner)
        await _observed(running)
        binary = {f"ce-{name}": text for name, text in {**EVENT, "id": "2"}.items()}
        structured = json.dumps({**EVENT, "data": {"app": "shop"}}).encode()
        publish = _outside(running)
        for _ in range(2):
            await publish(SIGNAL, BODY, message_id="plain")
            await publish(SIGNAL, structured, message_id="")
            await publish(SIGNAL, BODY, message_id="", headers=binary)
            await publish(SIGNAL, b'{"app": "other"}', message_id="other")
            running.server.kill()
            await running.server.wait()
            await running.server.stop()
            await running.server.start()
        runs = await _ended(running, 3)
        assert {run.trigger.kind for run in runs} == {"signal"}
        assert {"succeeded"} <= {run.state for run in runs} <= {"succeeded", "folded"}


async def test_a_planner_that_is_killed_goes_on_with_what_is_held_back(tmp_path: Path) -> None:
    """Neither the run nor the end of its settle time is lost with it."""
    async with plant(tmp_path) as running:
        running.workers.gate.set()
        planner = await running.start_planner()
        await running.until_leads(planner)
        await _observed(running, replace(RULE, settle_s=5))
        await _outside(running)(SIGNAL, BODY, message_id="one")

        async def held() -> bool:
            return any(run.wait is not None for run in await running.runs())

        await wait_until(held, deadline_s=DEADLINE_S, what="the run is held back")
        planner.kill()
        await planner.wait()
        await running.start_planner()
        [run] = await _ended(running, 1)
        assert (run.state, run.trigger.name) == ("succeeded", "deployed")
        assert run.started_at is not None
        assert (run.started_at - run.requested_at).total_seconds() >= 4


async def test_other_tools_subjects_are_signals_by_an_administrators_mapping(
    tmp_path: Path,
) -> None:
    """Of subjects that no stream holds, and of a stream of another tool; and no more without it."""
    async with plant(tmp_path) as running:
        running.workers.gate.set()
        theirs = StreamSpec(name="CI", purpose="another tool's", subjects=("ci.>",), bytes_max=MIB)
        await running.bus.ensure_stream(theirs)
        planner = await running.start_planner()
        await running.until_leads(planner)
        await _observed(running)
        mapped = mapped_streams(("deploys.*=deployed", "CI:ci.done.>=deployed"))
        assert [stream.name for stream in mapped] == [MAPPED, streams.SIGNALS.name]
        for stream in mapped:  # the planner itself was started without a mapping
            await running.bus.ensure_stream(stream)
        await _outside(running)("deploys.shop", BODY, message_id="one")
        await _outside(running)("ci.done.shop.web", BODY, message_id="two")
        await _outside(running)("ci.began.shop", BODY, message_id="three")
        runs = await _ended(running, 2)
        assert {run.trigger.kind for run in runs} == {"signal"}
        for stream in mapped_streams(()):
            await running.bus.ensure_stream(stream)
        await _outside(running)("ci.done.shop.web", BODY, message_id="four")
        await _outside(running)(SIGNAL, BODY, message_id="five")
        assert len(await _ended(running, 3)) == 3
