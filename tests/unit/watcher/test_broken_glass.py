"""Glass that was broken while nobody answered at the gate is put on record afterwards, once."""

import asyncio
from typing import Any

import pytest

from appshield.bus import SharedWatch
from appshield.contracts import decode
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS, OBSERVATIONS
from appshield.gate import BREAK_GLASS
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import DEPLOYMENT, NAMESPACE
from appshield.watcher.broken_glass import KINDS, UNKNOWN, BrokenGlass
from appshield.watcher.informers import Informers
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planner_world import CUT_AT
from waiting import wait_until

APP = AppRef(cluster="test", namespace="shop", name="web")
GATE = Protection(name="gate", trigger="gate", before=("rollout", "delete"))


class Noted(Informers):
    """Informers that only note what is asked for."""

    def __init__(self) -> None:
        self.followed: set[Kind] = set()
        self.asked = False

    def follow(self, kind: Kind, follower: Any) -> None:
        self.followed.add(kind)
        self.asked = True

    def unfollow(self, kind: Kind, follower: Any) -> None:
        self.followed.discard(kind)
        self.asked = True

    def read_again(self, kind: Kind) -> None:
        return


class Scene:
    """A gated application, and as many watchers as a test makes, one after the other."""

    def __init__(self) -> None:
        self.bus = MemoryBus("watcher", now=CUT_AT)
        self.informers = Noted()

    async def gate(self, *rules: Protection) -> None:
        record = ApplicationRecord(
            app=APP, app_id="a-1", uid="uid-1", vault="primary", state="active", protections=rules
        )
        await self.bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)

    async def watch(self, kind: Kind, *steps: tuple[str, Object]) -> list[AuditEvent]:
        """Let a new watcher see all there is of a kind, then what changes; return what is told."""
        stopping, self.informers.asked = asyncio.Event(), False
        records = SharedWatch(self.bus.bucket(APPLICATIONS, ApplicationRecord))
        broken = BrokenGlass(
            bus=self.bus,
            records=records,
            informers=self.informers,
            cluster_name="test",
            clock=FixedClock(CUT_AT),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(records.keep(stopping))
            tasks.create_task(broken.keep_told(stopping))
            known = "the gated applications are known"
            await wait_until(lambda: self.informers.asked, deadline_s=30, what=known)
            present = [broken.keep(kind, obj) for step, obj in steps if step == "there"]
            await broken.replace(kind, present)
            for step, obj in steps:
                if step != "there":
                    await getattr(broken, step)(kind, broken.keep(kind, obj))
            stopping.set()
        found = [decode(stored.body) async for stored in self.bus.read(OBSERVATIONS)]
        return [event for event in found if isinstance(event, AuditEvent)]


@pytest.fixture
async def scene() -> Scene:
    """A scene with a gate."""
    made = Scene()
    await made.gate(GATE)
    return made


async def test_a_rollout_that_passed_while_nobody_watched_is_told_once(scene: Scene) -> None:
    """With the reason, what wrote it, and that nobody knows who."""
    assert await scene.watch(DEPLOYMENT, ("there", _web())) == []
    rolled = _web(colour="blue", glass="incident 17", generation=2)
    [told] = await scene.watch(DEPLOYMENT, ("there", rolled))
    assert (told.action, told.outcome, told.door, told.actor) == (
        "break-glass", "allowed", "gate", UNKNOWN,
    )  # fmt: skip
    assert (told.app, told.object, told.cause) == (APP, "rollout of Deployment web", "incident 17")
    assert "kubectl-annotate" in told.reason
    assert told.request_id == "uid-web.2"
    assert await scene.watch(DEPLOYMENT, ("there", rolled)) == [told]


async def test_what_is_gone_and_carried_a_reason_is_told(scene: Scene) -> None:
    """Whether somebody watched or not; of what carried none nothing is told."""
    await scene.watch(DEPLOYMENT, ("there", _web(glass="incident 17")), ("there", _web("db")))
    [told] = await scene.watch(DEPLOYMENT)
    assert (told.object, told.request_id) == ("delete of Deployment web", "uid-web.gone")
    seen = _web("live", glass="incident 18")
    _, other = await scene.watch(DEPLOYMENT, ("changed", seen), ("deleted", seen))
    assert (other.object, other.cause) == ("delete of Deployment live", "incident 18")


async def test_a_deletion_that_takes_its_time_is_told_when_it_begins(scene: Scene) -> None:
    """Once, not again when the object is gone at last."""
    space = {"metadata": {"name": "shop", "uid": "uid-shop", "annotations": {BREAK_GLASS: "move"}}}
    going = {"metadata": {**space["metadata"], "deletionTimestamp": "2026-11-24T12:00:00Z"}}
    told = await scene.watch(NAMESPACE, ("there", space), ("changed", going), ("deleted", going))
    assert [event.object for event in told] == ["delete of Namespace shop"]


async def test_without_a_reason_or_another_template_nothing_is_told(scene: Scene) -> None:
    """Nor of what is seen for the first time, is AppShield's own, or has no gate any more."""
    first = _web(colour="blue", glass="before we came")
    ours = _web("ours", glass="x")
    ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "appshield"}
    assert await scene.watch(DEPLOYMENT, ("there", first), ("there", ours)) == []
    again = _web(colour="blue", glass="another word", generation=2)
    assert await scene.watch(DEPLOYMENT, ("there", again)) == []
    assert await scene.watch(DEPLOYMENT, ("there", _web(colour="red", generation=3))) == []
    await scene.gate()
    assert await scene.watch(DEPLOYMENT) == []


async def test_nothing_is_watched_without_a_gate(scene: Scene) -> None:
    """The kinds are those that wait at gates."""
    await scene.watch(DEPLOYMENT)
    assert scene.informers.followed == set(KINDS)
    await scene.gate()
    await scene.watch(DEPLOYMENT)
    assert scene.informers.followed == set()


def _web(name: str = "web", *, colour: str = "red", glass: str = "", generation: int = 1) -> Object:
    fields: Object = {"f:metadata": {"f:annotations": {f"f:{BREAK_GLASS}": {}}}}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "generation": generation,
            "annotations": {BREAK_GLASS: glass} if glass else {},
            "managedFields": [{"manager": "kubectl-annotate", "fieldsV1": fields}] if glass else [],
        },
        "spec": {"template": {"colour": colour}},
    }
