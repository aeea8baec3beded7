"""What people and schedules ask of the simulated system, as a seed has it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from appshield.contracts.applications import ApplicationObserved, Keep, Protection
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup, RequestCancel, RequestRestore
from appshield.planner.steps import kind_of
from simulation.outside import Application
from simulation.world import World

_FRESH = Protection(name="fresh", trigger="rpo", rpo_s=45, keep=Keep(last=4))
_EVERY_MINUTE = Protection(
    name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=3)
)

_FRESH_RATE = 0.25
Story = Callable[[World], Awaitable[None]]


async def some_days_work(world: World) -> None:
    """Observe two applications, then ask for backups, restores and cancellations in any order."""
    draw = world.chance.random
    scheduled = draw.random() < 0.5
    copied = draw.random() < 0.3
    beside = random.Random(world.seed)  # what came later leaves the other draws of a seed alone
    fresh = beside.random() < _FRESH_RATE
    for one in world.applications:
        rules = (*((_EVERY_MINUTE,) if scheduled else ()), *((_FRESH,) if fresh else ()))
        await observe(world, one, rules, copied=copied, resource_version="1")
    for number in range(draw.randint(2, 7)):
        await asyncio.sleep(draw.choice((0.0, 0.5, 5.0, 30.0)))
        if fresh and beside.random() < 0.5:
            beside.choice(world.applications).changes += 1
        wish = await _wish(world, draw.choice(world.applications), f"{number}")
        await world.bus.publish(wish)
        if draw.random() < 0.2:
            world.bus.forget_duplicates()
            await world.bus.publish(wish)
    await asyncio.sleep(draw.choice((1.0, 20.0, 90.0)))
    for one in world.applications:
        await observe(world, one, (), copied=copied, resource_version="2")


async def cancelled_in_its_commit(world: World) -> None:
    """Ask for backups, cancel each in the moment of its commit, and ask for another one at once."""
    one = world.applications[0]
    await observe(world, one, (), copied=False, resource_version="1")
    for number in range(4):
        await world.bus.publish(RequestBackup(app=one.app, request_id=f"backup-{number}"))
        committing = await run_at(world, "commit", within_s=30)
        if committing:
            await world.bus.publish(
                RequestCancel(app=one.app, request_id=f"cancel-{number}", run=committing)
            )
    await world.bus.publish(RequestBackup(app=one.app, request_id="backup-last"))


async def run_at(world: World, step: str, *, within_s: float) -> str:
    """Wait until a run does this step, and name it; nothing if that takes too long."""
    until = world.now() + timedelta(seconds=within_s)
    while world.now() < until:
        await asyncio.sleep(0.05)  # of the clock of the simulation
        for run in await world.runs():
            if run.state in {"running", "ending"} and any(
                kind_of(one.name) == step and one.state == "running" for one in run.steps
            ):
                return run.id
    return ""


async def observe(
    world: World,
    one: Application,
    rules: tuple[Protection, ...],
    *,
    copied: bool,
    resource_version: str,
) -> None:
    """Let the watcher tell an application, with these rules and, if copied, a second Vault."""
    await world.bus.publish(
        ApplicationObserved(
            app=one.app,
            uid=one.uid,
            resource_version=resource_version,
            exists=True,
            revision="r1",
            protections=rules,
            targets=("primary", "offsite") if copied else ("primary",),
            targets_named=copied,
        )
    )


async def _wish(world: World, one: Application, name: str) -> Message:
    draw = world.chance.random
    kind = draw.choice(("backup", "backup", "backup", "restore", "cancel"))
    versions = [each.facts.number for each in await world.catalog() if each.facts.app == one.app]
    if kind == "restore" and versions:
        return RequestRestore(
            app=one.app,
            request_id=f"restore-{name}",
            version=draw.choice(sorted(versions)),
            running_backup=draw.choice(("wait", "cancel")),
        )
    runs = sorted(run.id for run in await world.runs() if run.app == one.app)
    if kind == "cancel" and runs:
        return RequestCancel(app=one.app, request_id=f"cancel-{name}", run=draw.choice(runs))
    return RequestBackup(app=one.app, request_id=f"backup-{name}")
