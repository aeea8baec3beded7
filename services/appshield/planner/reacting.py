"""Which reactions act now: pure decisions over what is known of an application, and a time.

    its condition holds ─► for as long as asked ─► not oftener than asked ─► act, once
                                                    until the condition has not held in between

What makes a reaction wait instead, however long its condition holds:

- The application is being restored, or was until a moment ago, by whomever: its health says
  nothing yet, and has to last anew after that. People are told meanwhile of what is no health:
  that the restore takes too long.
- A reaction has restored it and it was not healthy since: what comes of a restore is no reason for
  the next backup, restore or pause. People are told all the same.
- Somebody deletes all of it on purpose. People are told all the same.
- It is paused, or a run is in its way: a restore lets every other run end first.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import (
    NotifyAction,
    PauseAction,
    Reacted,
    Reaction,
    RestoreAction,
)
from appshield.language.expression_errors import UndecidedError
from appshield.language.expression_values import AppFacts, LastBackupFacts, RpoFacts, RtoFacts
from appshield.language.expressions import REACTION, Condition
from appshield.triggers.moments import saved_at

CALM_AFTER_RESTORE = timedelta(minutes=1)
"""So long after a restore its application is left to come up."""
SEARCH_FIRST = timedelta(seconds=1)
SEARCH_LAST = timedelta(days=30)
_NEVER = datetime.fromtimestamp(0, UTC)


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an application beside its record."""

    app: AppFacts
    promised_s: int = 0
    restoring: bool = False
    busy: str = ""
    """What is in a restore's way, in words."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How far reactions are, and when to look again."""

    reacted: tuple[Reacted, ...]
    look_at: datetime | None = None


def look(
    record: ApplicationRecord,
    situation: Situation,
    conditions: Callable[[str], Condition],
    now: datetime,
) -> Look:
    """Decide about every reaction that is in force for an application."""
    known = {one.digest: one for one in record.reacted}
    states: list[Reacted] = []
    times: list[datetime] = []
    for reaction in record.reactions:
        before = known.get(reaction.digest, Reacted(digest=reaction.digest))
        asked = _Asked(reaction, record, situation, conditions(reaction.when))
        state, again_at = _decide(asked, before, now)
        states.append(state)
        if again_at is not None:
            times.append(again_at)
    return Look(reacted=tuple(states), look_at=min(times, default=None))


class _Asked:
    """One reaction, and what its condition says at any time if nothing else happens."""

    def __init__(
        self,
        reaction: Reaction,
        record: ApplicationRecord,
        situation: Situation,
        condition: Condition,
    ) -> None:
        self.reaction = reaction
        self.record = record
        self.situation = situation
        self._condition = condition
        self.reads_health = any(read[0] == "health" for read in condition.reads)
        self.reads_time = any(read[0] in ("rpo", "lastBackup") for read in condition.reads)

    def holds(self, now: datetime) -> bool:
        """Say whether the condition holds at a time.

        Raises:
            UndecidedError: it has no answer.
        """
        record, cut_at = self.record, self.record.last_backup_at
        age, held_for = now - (cut_at or _NEVER), now - (saved_at(self.record) or _NEVER)
        promise = timedelta(seconds=self.situation.promised_s)
        version = record.last_version if cut_at else 0
        values = REACTION.values(
            health=record.health.status if record.health else "Unknown",
            rpo=RpoFacts(
                age=held_for, promise=promise, state=record.rpo.state if record.rpo else ""
            ),
            rto=_rto_facts(record),
            lastBackup=LastBackupFacts(version=version, at=cut_at or _NEVER, age=age),
            app=self.situation.app,
        )
        return self._condition.holds(values)


def _rto_facts(record: ApplicationRecord) -> RtoFacts:
    last, rto = record.last_restore, record.rto
    return RtoFacts(
        last=timedelta(seconds=last.took_s if last else 0),
        expected=timedelta(seconds=rto.expected_s if rto else 0),
        promise=timedelta(seconds=record.rto_alert_s),
        state=rto.state if rto else "",
    )


def _decide(asked: _Asked, state: Reacted, now: datetime) -> tuple[Reacted, datetime | None]:
    """Return how far a reaction is now, and when to look at it again."""
    why, until = _disregarded(asked, now)
    if why:
        return replace(state, held_since=None, problem=""), until
    try:
        holds = asked.holds(now)
    except UndecidedError as error:
        return replace(state, held_since=None, problem=str(error)), None
    if not holds:
        return (
            replace(state, held_since=None, done=False, problem=""),
            _next_change(asked, now, holds=False),
        )
    if state.done:
        return state, _next_change(asked, now, holds=True)
    return _act_or_wait(asked, state, now)


def _act_or_wait(asked: _Asked, state: Reacted, now: datetime) -> tuple[Reacted, datetime | None]:
    """Let a reaction act whose condition holds, once it has held so long and may act again."""
    held_since = state.held_since or now
    state = replace(state, held_since=held_since)
    due = max(held_since + timedelta(seconds=asked.reaction.lasts_s), _allowed(asked, state))
    if now < due:
        later = _next_change(asked, now, holds=True)
        return replace(state, problem=""), min(due, later) if later else due
    if in_the_way := _in_the_way(asked):
        return replace(state, problem=in_the_way), None
    acted = (*state.acted_at, now)[-max(1, asked.reaction.at_most) :]
    return replace(state, done=True, acting=True, acted_at=acted, problem=""), None


def _restored(asked: _Asked, now: datetime) -> tuple[str, datetime | None] | None:
    """Say whether an application is being restored, or was a moment ago, and until when that is."""
    if asked.situation.restoring:
        return "it is being restored", None
    restored_at = asked.record.restored_at
    if restored_at is not None and now < restored_at + CALM_AFTER_RESTORE:
        return "it was restored a moment ago", restored_at + CALM_AFTER_RESTORE
    return None


def _disregarded(asked: _Asked, now: datetime) -> tuple[str, datetime | None]:
    """Say why a condition counts for nothing now, and until when if that is known."""
    record, action = asked.record, asked.reaction.action
    only_tells = isinstance(action, NotifyAction)
    if (asked.reads_health or not only_tells) and (found := _restored(asked, now)):
        return found
    if only_tells:
        return "", None
    if record.health is not None and record.health.deliberate:
        return record.health.deliberate, None
    if record.unproven_since is not None and asked.reads_health:
        return "it has not been healthy since a reaction restored it", None
    return "", None


def _allowed(asked: _Asked, state: Reacted) -> datetime:
    """Return from when on a reaction may act by its rate."""
    most = asked.reaction.at_most
    if not most or len(state.acted_at) < most:
        return _NEVER
    return state.acted_at[-most] + timedelta(seconds=asked.reaction.at_most_in_s)


def _in_the_way(asked: _Asked) -> str:
    """Say what a reaction waits for; its end is told, so there is no time to look again."""
    action, record = asked.reaction.action, asked.record
    if isinstance(action, NotifyAction | PauseAction):
        return ""
    if record.paused is not None:
        return "the application is paused"
    return asked.situation.busy if isinstance(action, RestoreAction) else ""


def _next_change(asked: _Asked, now: datetime, *, holds: bool) -> datetime | None:
    """Find when a condition on times says something else, if nothing happens meanwhile.

    Steps that double find the first time at which it does, halving finds the second.
    """
    if not asked.reads_time:
        return None
    step, before = SEARCH_FIRST, now
    while step <= SEARCH_LAST:
        if _differs(asked, now + step, holds=holds):
            after = now + step
            while after - before > SEARCH_FIRST:
                middle = before + (after - before) / 2
                if _differs(asked, middle, holds=holds):
                    after = middle
                else:
                    before = middle
            return after
        before = now + step
        step *= 2
    return now + SEARCH_LAST


def _differs(asked: _Asked, at: datetime, *, holds: bool) -> bool:
    try:
        return asked.holds(at) != holds
    except UndecidedError:
        return True


def last_good(
    numbers: Sequence[tuple[int, datetime, bool]], healthy_until: datetime | None
) -> int | None:
    """Choose the newest version (number, cut, good) that is good and of a healthy time, if any.

    What was saved after the application stopped being healthy holds what made it so.
    """
    good = [
        number
        for number, cut_at, is_good in numbers
        if is_good and (healthy_until is None or cut_at < healthy_until)
    ]
    return max(good, default=None)
