"""What was told about an application, in words and in order."""

from datetime import UTC, datetime, timedelta

from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, PauseChanged
from appshield.contracts.health import (
    BackupAction,
    Health,
    HealthChanged,
    HealthReason,
    HealthStatus,
    Reacted,
    Reaction,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Failure, RunChanged, StepFailed
from appshield.doors.events import ToldEvent, events_of
from memory_bus import MemoryBus

APP = AppRef(cluster="test", namespace="shop", name="web")
AT = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = ApplicationRecord(app_id="a-1", app=APP, uid="u", vault="primary", state="active")


def observed(number: int, refused: str = "") -> ApplicationObserved:
    """See the document for the time of this number."""
    return ApplicationObserved(
        app=APP, uid="u", resource_version=f"{number}", exists=True, refused=refused
    )


def health(change: int, status: HealthStatus) -> HealthChanged:
    """Change the health for the time of this number."""
    reason = HealthReason(object="Deployment shop/web", why="has no replica")
    how = Health(status=status, since=AT, reasons=(reason,) if status == "Degraded" else ())
    return HealthChanged(app=APP, uid="u", change=change, health=how)


async def told(bus: MemoryBus, record: ApplicationRecord = RECORD) -> list[ToldEvent]:
    """Read what was told, and see that the newest comes first."""
    found = await events_of(bus, record)
    assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
    return found


async def test_a_failed_run_says_why() -> None:
    """With its step, as a problem; what is told of others is not there."""
    bus = MemoryBus()
    failure = Failure(what="the pod is gone", next_step="Start it")
    await bus.publish(StepFailed(app=APP, run="b-1", step="take", attempt=1, failure=failure))
    await bus.pass_time(1)
    for app in (APP, AppRef(cluster="test", namespace="shop", name="webs")):
        await bus.publish(
            RunChanged(
                app=app,
                run=f"b-{app.name}",
                kind="backup",
                state="failed",
                epoch=1,
                failure=failure,
            )
        )
    ended, step = await told(bus)
    assert (ended.kind, ended.state, ended.problem) == ("run", "failed", True)
    assert ended.failure == failure
    assert ended.text == "backup b-web failed: the pod is gone. Start it"
    assert (step.kind, step.step, step.run, step.problem) == ("step", "take", "b-1", True)


async def test_health_and_documents_are_looked_back_at() -> None:
    """A fact that is told again and says the same is one event."""
    bus = MemoryBus()
    facts = (
        observed(1),
        health(1, "Healthy"),
        observed(2, "4:3 no such field"),
        observed(3, "4:3 no such field"),
        health(2, "Degraded"),
        observed(4),
    )
    for fact in facts:
        await bus.publish(fact)
        await bus.pass_time(1)
    assert [(one.kind, one.state, one.problem) for one in await told(bus)] == [
        ("document", "observed", False),
        ("health", "Degraded", True),
        ("document", "refused", True),
        ("health", "Healthy", False),
        ("document", "observed", False),
    ]
    assert "Deployment shop/web: has no replica" in (await told(bus))[1].text


async def test_who_paused_is_told() -> None:
    """And that a reaction acted, by the record."""
    bus = MemoryBus(now=AT)
    await bus.publish(PauseChanged(app=APP, request="r-1", paused=True, actor="ann", reason="move"))
    reaction = Reaction(digest="d", when="health.degraded", action=BackupAction(), policy="gold")
    reacted = Reacted(digest="d", acted_at=(AT + timedelta(minutes=1),))
    acting = ApplicationRecord(
        app_id="a-1",
        app=APP,
        uid="u",
        vault="primary",
        state="active",
        reactions=(reaction,),
        reacted=(reacted, Reacted(digest="of a policy that is gone", acted_at=(AT,))),
    )
    first, second = await told(bus, acting)
    assert (first.kind, first.text) == (
        "reaction",
        "reaction of policy gold to health.degraded: backup",
    )
    assert (second.actor, second.text) == ("ann", "paused by ann: move")


async def test_what_is_told_has_a_code_for_other_languages() -> None:
    """With values that change in it; what others have written is one of them."""
    bus = MemoryBus(now=AT)
    failure = Failure(what="the pod is gone")
    facts = (
        observed(1, "4:3 no such field"),
        health(2, "Degraded"),
        PauseChanged(app=APP, request="r-1", paused=False, actor="ann"),
        StepFailed(app=APP, run="b-1", step="take", attempt=1, failure=failure, again=True),
        RunChanged(app=APP, run="b-2", kind="backup", state="succeeded", epoch=1, version=3),
    )
    for fact in facts:
        await bus.publish(fact)
        await bus.pass_time(1)
    assert [(one.code, one.values) for one in reversed(await told(bus))] == [
        ("document-refused", {"why": "4:3 no such field"}),
        (
            "health",
            {
                "health": "Degraded",
                "before": "Unknown",
                "why": "Deployment shop/web: has no replica",
            },
        ),
        ("resumed", {"actor": "ann"}),
        ("step-failed-again", {"run": "b-1", "step": "take", "why": "the pod is gone"}),
        ("run", {"kind": "backup", "run": "b-2", "state": "succeeded", "version": "3"}),
    ]
