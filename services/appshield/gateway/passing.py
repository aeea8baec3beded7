"""Whether an operation passes the gate: the decision, over what is known at one moment. Pure.

An operation is refused first at some moment; that begins a hold, which asks for a run. Later tries
of the same change find the hold. "Later than the request" is not a comparison of clocks: it passes
by the version that the hold's own run made, and that run began after the refusal. A run that was
folded into another one counts as that, for it was still waiting then.

Two tries are the same change when they are about the same object (its uid), the same operation, and
the object still says what it said at the first refusal. What it shall become may differ: a tool
that writes the time into each try would never pass otherwise. Once an operation has passed and was
done, the object says something else, so whatever comes next begins a hold of its own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.gates import Hold
from appshield.contracts.runs import FINAL_STATES, Run

OPEN_FOR = timedelta(minutes=15)
"""How long after the end of its run an operation may be tried again and pass."""
REST_AFTER_FAILURE = timedelta(seconds=30)
"""How long after a failed run another try begins none, so that retries make no storm of runs."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed: a digest of the object before it, and each object that goes.

    `states` are digests by `Kind/name`, as a version remembers them; those of a namespace are of
    all that is in it.
    """

    state: str
    states: Mapping[str, str]


class Pass(msgspec.Struct, frozen=True):
    """The operation goes on: this version holds the application as it was before."""

    version: int


class Wait(msgspec.Struct, frozen=True):
    """The operation is refused for now: the run of the hold is under way, or has just failed."""

    failure: str = ""


class Begin(msgspec.Struct, frozen=True):
    """The operation is refused and begins a new hold."""


class Beside(msgspec.Struct, frozen=True):
    """The object does not belong to the application: a version made for it does not hold it."""


Decision: TypeAlias = Pass | Wait | Begin | Beside


def decide(
    change: Change,
    hold: Hold | None,
    run: Run | None,
    version: VersionRecord | None,
    now: datetime,
) -> Decision:
    """Decide about one try.

    Args:
        change: what is to be changed.
        hold: the hold of this object and operation, None where there is none.
        run: the hold's run, or the one that it was folded into; None while no planner took it up.
        version: the version that this run made.
        now: the present moment; only how long ago the run ended is compared with it.
    """
    if hold is None or hold.state != change.state:
        return Begin()
    if run is None or run.state not in FINAL_STATES:
        return Wait()
    ended_for = now - (run.finished_at or now)
    if run.state != "succeeded":
        return Wait(str(run.failure or run.state)) if ended_for < REST_AFTER_FAILURE else Begin()
    if ended_for > OPEN_FOR or version is None or version.damage is not None:
        return Begin()
    if not holds_any(version, change):
        return Beside()
    return Pass(version.facts.number) if matches(version, change) else Begin()


def holds_any(version: VersionRecord, change: Change) -> bool:
    """Say whether a version holds anything of what is to be changed."""
    return any(name in version.facts.states for name in change.states)


def matches(version: VersionRecord, change: Change) -> bool:
    """Say whether a version holds each object that belongs to the application as it stands now."""
    known = version.facts.states
    return all(known[name] == state for name, state in change.states.items() if name in known)


def is_beside(change: Change, newest: VersionRecord | None, made_at: datetime | None) -> bool:
    """Say whether an object is known not to belong to the application, so that nothing waits.

    That is so when it stood there before the newest version was cut, and is not in it.
    """
    if newest is None or made_at is None or newest.facts.cut_at <= made_at:
        return False
    return bool(newest.facts.states) and not holds_any(newest, change)
