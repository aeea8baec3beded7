"""The simulated system in the hands of hypothesis: what is asked, and which accidents happen when.

A seed decides as it goes; here every single decision is drawn by itself, so that a failure shrinks
to the few that matter. What must never be is looked for after each step, all else at the end.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, integers, sampled_from

from appshield.contracts import subjects
from appshield.contracts.agents import ServiceName
from appshield.contracts.applications import ApplicationRecord, Keep, Protection
from appshield.contracts.message import Message
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestForget,
    RequestPause,
    RequestPin,
    RequestPrune,
    RequestRestore,
)
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import LEASES
from simulation import claims
from simulation.chance import Accident, ToldChance
from simulation.outside import Application
from simulation.seeds import silence
from simulation.services import SERVICES
from simulation.stories import observe, run_at
from simulation.virtual_time import VirtualTimeLoop, a_part
from simulation.world import World

T = TypeVar("T")
_TOLD_WITHIN_S = 60.0
_RULES = (
    Protection(name="fresh", trigger="rpo", rpo_s=45, keep=Keep(last=4)),
    Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=3)),
    Protection(name="deployed", trigger="signal", signal="deployed", settle_s=2),
)
_STEPS = ("open", "take", "store", "commit", "release", "apply")
_applications = integers(0, 1)
_recent = integers(0, 3)


class SimulatedSystem(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._wishes: list[Message] = []
        self._asked = 0

    @initialize(interleaving=integers(0, 999), rules=integers(0, 7), copied=booleans())
    def begin(self, interleaving: int, rules: int, copied: bool) -> None:
        """Start everything, and let both applications be known."""
        chosen = tuple(one for place, one in enumerate(_RULES) if rules & 1 << place)

        self._chance = ToldChance(interleaving)

        async def begin() -> World:
            world = World(interleaving, self._chance)
            world.begin()
            for one in world.applications:
                await observe(world, one, chosen, copied=copied, resource_version="1")
            await asyncio.sleep(_TOLD_WITHIN_S)
            return world

        self._copied = copied
        self._world = self._run(begin())

    @rule(place=_applications)
    def back_up(self, place: int) -> None:
        """Somebody asks for a version."""
        self._ask(RequestBackup(app=self._app(place).app, request_id=self._identity()))

    @rule(place=_applications, recent=_recent, cancels=booleans(), needs_approval=booleans())
    def restore(self, place: int, recent: int, cancels: bool, needs_approval: bool) -> None:
        """Somebody asks for one of the newest versions back."""
        version = self._version(place, recent)
        self._ask(
            RequestRestore(
                app=self._app(place).app,
                request_id=self._identity(),
                version=version,
                running_backup="cancel" if cancels else "wait",
                needs_approval=needs_approval,
            )
        )

    @rule(recent=_recent)
    def cancel(self, recent: int) -> None:
        """Somebody cancels one of the newest runs."""
        for run in self._runs()[recent : recent + 1]:
            self._ask(RequestCancel(app=run.app, request_id=self._identity(), run=run.id))

    @rule(recent=_recent)
    def approve(self, recent: int) -> None:
        """Somebody approves of one of the runs that wait for that."""
        waiting = [run for run in self._runs() if run.state == "awaiting-approval"]
        for run in waiting[recent : recent + 1]:
            self._ask(RequestApprove(app=run.app, request_id=self._identity(), run=run.id))

    @rule(place=_applications, paused=booleans())
    def pause(self, place: int, paused: bool) -> None:
        """Somebody pauses an application, or lets it go on."""
        app = self._app(place).app
        self._ask(RequestPause(app=app, request_id=self._identity(), paused=paused))

    @rule(place=_applications, recent=_recent, pinned=booleans())
    def pin(self, place: int, recent: int, pinned: bool) -> None:
        """Somebody pins a version, or lets it go again."""
        if (version := self._version(place, recent)) and (app_id := self._history(place)):
            self._ask(
                RequestPin(
                    app=self._app(place).app,
                    request_id=self._identity(),
                    app_id=app_id,
                    version=version,
                    pinned=pinned,
                )
            )

    @rule(place=_applications, recent=_recent)
    def forget(self, place: int, recent: int) -> None:
        """Somebody deletes a version, and what only it needed."""
        app = self._app(place).app
        if (version := self._version(place, recent)) and (app_id := self._history(place)):
            identity = self._identity()
            self._ask(
                RequestForget(app=app, request_id=identity, app_id=app_id, versions=(version,))
            )
            self._ask(RequestPrune(app=app, request_id=f"{identity}-prune", app_id=app_id))

    @rule(recent=_recent)
    def ask_again(self, recent: int) -> None:
        """A wish comes a second time, when the bus has forgotten the first."""
        for wish in self._wishes[::-1][recent : recent + 1]:
            self._world.bus.forget_duplicates()
            self._run(self._world.bus.publish(wish))

    @rule()
    def signal(self) -> None:
        """Another tool tells something."""
        publish = self._world.bus.publish_raw
        name = subjects.signal("deployed")
        self._run(publish(name, b"{}", message_id=self._identity()))

    @rule(place=_applications)
    def change(self, place: int) -> None:
        """Somebody changes what the next backup finds."""
        self._app(place).changes += 1

    @rule(
        accident=sampled_from(("kill", "stop", "fail before", "fail after")),
        nth=integers(1, 15),
        step=sampled_from(_STEPS),
    )
    def let_happen(self, accident: Accident, nth: int, step: str) -> None:
        """A process dies, is stopped or loses its bus at the n-th effect after a step began."""
        self.wait_for(step)
        self._chance.tell(accident, nth)

    @rule(nth=integers(1, 10))
    def lose_acknowledgement(self, nth: int) -> None:
        """The n-th message that is handled from now comes again."""
        self._chance.tell("lost acknowledgement", nth)

    @rule(service=sampled_from(SERVICES))
    def kill(self, service: ServiceName) -> None:
        """All processes of a service die, wherever they are; others take their place."""
        for process in [one for one in self._world.processes if one.name.startswith(service)]:
            process.kill()
        self._run(asyncio.sleep(0))  # a turn of the loop: those that take over have begun

    @rule()
    def lose_lease(self) -> None:
        """Somebody takes it from whoever plans, who does not know before it looks."""
        self._world.lease_taken = True
        self._run(self._world.bus.bucket(LEASES, str).delete("planner"))

    @rule(step=sampled_from(_STEPS))
    def wait_for(self, step: str) -> None:
        """Time passes until some run does this step, or none does for a while."""
        self._run(run_at(self._world, step, within_s=5))

    @rule(seconds=sampled_from((0.003, 0.05, 0.5, 4.0, 12.0, 70.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self._run(asyncio.sleep(seconds))

    @invariant()
    def nothing_was_seen_that_must_never_be(self) -> None:
        """Turns, epochs, numbers and versions are right at any time."""
        stores = self._world.outside.stores.values()
        wrong = [
            *self._world.seen_wrong,
            *(text for store in stores for text in store.numbers_used_again),
            *(key for store in stores for key, times in store.ever.items() if times > 1),
        ]
        assert not wrong, wrong

    def teardown(self) -> None:
        """Let everything work, decide what waits for a person, and check every claim."""
        try:
            if hasattr(self, "_world"):
                broken = self._run(self._end())
                assert not broken, broken
        finally:
            self._runner.close()

    async def _end(self) -> list[str]:
        world = self._world
        world.chance.calm = True
        for one in world.applications:
            await world.bus.publish(
                RequestPause(app=one.app, request_id=f"resume-{one.uid}", paused=False)
            )
            await observe(world, one, (), copied=self._copied, resource_version="2")
        await asyncio.sleep(_TOLD_WITHIN_S)
        for run in await world.runs():
            if run.state == "awaiting-approval":
                request = RequestApprove(app=run.app, request_id=f"end-{run.id}", run=run.id)
                await world.bus.publish(request)
        await world.end()
        broken = await claims.broken(world)
        world.chance.over = True
        return broken

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(a_part(work))

    def _ask(self, wish: Message) -> None:
        self._wishes.append(wish)
        self._run(self._world.bus.publish(wish))

    def _identity(self) -> str:
        self._asked += 1
        return f"wish-{self._asked}"

    def _app(self, place: int) -> Application:
        return self._world.applications[place]

    def _runs(self) -> list[Run]:
        """List all runs, those first that have not ended, and the newest first."""
        return sorted(
            self._run(self._world.runs()),
            key=lambda run: (run.state in FINAL_STATES, -run.requested_at.timestamp(), run.id),
        )

    def _records(self) -> list[ApplicationRecord]:
        return self._run(self._world.records())

    def _history(self, place: int) -> str:
        app = self._app(place).app
        return next((one.app_id for one in self._records() if one.app == app), "")

    def _version(self, place: int, recent: int) -> int:
        """Choose one of the newest versions, 0 where there is none."""
        app = self._app(place).app
        known = self._run(self._world.catalog())
        numbers = sorted((one.facts.number for one in known if one.facts.app == app), reverse=True)
        return numbers[min(recent, len(numbers) - 1)] if numbers else 0


def explore(examples: int, *, shrink: bool = True) -> None:
    """Let hypothesis use the system in so many ways, the same ones each time.

    Raises:
        AssertionError: a claim does not hold; with `shrink` by the fewest steps that show it.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    with silence():
        run_state_machine_as_test(
            SimulatedSystem,
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                derandomize=True,
                database=None,
                deadline=None,
                phases=phases,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
