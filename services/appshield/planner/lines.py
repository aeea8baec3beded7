"""Who goes first, among the runs of one application and among applications. Pure but for counts.

Of an application's own runs that could begin, upkeep comes last and the highest priority first;
among equals it is first come, first served. Among applications it is the same, as far as limits on
runs at once allow. A restore waits for no limit: somebody needs it now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from appshield.contracts.applications import Protection
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs may be under way at once: in all, into one Vault, on one node."""

    in_all: int = 64
    per_vault: int = 32
    per_node: int = 8


DEFAULT_LIMITS = Limits()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A run that could begin or is under way, and what it takes part in.

    `nodes` are those that its data is read on, as far as that is known.
    """

    run: str
    app: AppRef
    app_id: str
    rank: tuple[bool, int, datetime]
    vault: str = ""
    nodes: frozenset[str] = frozenset()
    is_limited: bool = True


class Lines:
    """What is under way and what waits, in memory: made anew by each planner that takes over."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: dict[str, Place] = {}
        self._waiting: dict[str, Place] = {}
        self._untold: set[str] = set()
        self._vaults: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()

    def begin(self, place: Place) -> None:
        """Count a run that begins, or is under way; its nodes may be others than before."""
        self.end(place.run)
        self._under_way[place.run] = place
        self._vaults[place.vault] += 1
        self._nodes.update(place.nodes)

    def move(self, place: Place) -> None:
        """Take in that a run which is under way has work on these nodes."""
        if place.nodes and place.run in self._under_way:
            self.begin(place)

    def end(self, run: str) -> None:
        """Count a run no more."""
        place = self._under_way.pop(run, None)
        if place is not None:
            self._vaults[place.vault] -= 1
            self._nodes.subtract(place.nodes)

    def wait(self, place: Place) -> None:
        """Let the first run of an application wait for its turn among all."""
        self._waiting[place.app_id] = place
        self._untold.add(place.app_id)

    def leave(self, app_id: str) -> None:
        """Let an application wait for nothing: none of its runs could begin."""
        self._waiting.pop(app_id, None)
        self._untold.discard(app_id)

    def take(self) -> Place | None:
        """Take the run that goes next and count it as under way; None when no more may begin."""
        fitting = (one for one in self._waiting.values() if not self.full(one))
        first = min(fitting, key=lambda one: one.rank, default=None)
        if first is not None:
            self.leave(first.app_id)
            self.begin(first)
        return first

    def take_at_once(self, place: Place) -> bool:
        """Count a run as under way that has come just now, if it may begin before all that wait."""
        others = (one for one in self._waiting.values() if one.rank <= place.rank)
        if self.full(place) or not all(map(self.full, others)):
            return False
        self.begin(place)
        return True

    def untold(self) -> list[str]:
        """List, once, the applications whose runs wait for others to end."""
        untold, self._untold = list(self._untold), set()
        return untold

    def full(self, place: Place) -> str:
        """Say which limit holds a run back; empty when it may begin."""
        return next(self._reached(place), "") if place.is_limited else ""

    def _reached(self, place: Place) -> Iterator[str]:
        counts = (
            (len(self._under_way), self._limits.in_all, "are under way"),
            (self._vaults[place.vault], self._limits.per_vault, f"use Vault {place.vault}"),
            *(
                (self._nodes[node], self._limits.per_node, f"are under way on node {node}")
                for node in sorted(place.nodes)
            ),
        )
        for count, most, where in counts:
            if count >= most:
                yield f"the limit is reached: runs that {where}: {count}"


def place_of(run: Run, usual_nodes: Iterable[str] = ()) -> Place:
    """Return what a run takes part in; `usual_nodes` count until it knows its own."""
    nodes = frozenset(step.node for step in run.steps if step.node)
    return Place(
        run=run.id,
        app=run.app,
        app_id=run.app_id,
        rank=(is_upkeep(run), -run.priority, run.requested_at),
        vault=run.vault,
        nodes=nodes or frozenset(usual_nodes),
        is_limited=run.kind != "restore",
    )


def in_line(run: Run, waiting: Iterable[Run]) -> tuple[str, ...]:
    """Put a run in line, behind those of the same rank."""
    ordered = sorted((*waiting, run), key=lambda one: (is_upkeep(one), -one.priority))
    return tuple(one.id for one in ordered)


def first_in_line(waiting: Iterable[Run], now: datetime) -> Run | None:
    """Choose the run of an application that begins next; None when all of them are held back."""
    could = (run for run in waiting if run.state == "pending" and not is_held(run, now))
    return next(could, None)


def is_held(run: Run, now: datetime) -> bool:
    """Say whether the time has not come at which a run may begin."""
    return run.wait is not None and run.wait.until is not None and run.wait.until > now


def same_wish(run: Run, others: Iterable[Run]) -> Run | None:
    """Find what waits already and does what a run would do.

    One that is held back takes in only what its own rule triggers: others need not wait as long.
    """
    for other in others:
        if other.id == run.id or other.kind != run.kind or other.state != "pending":
            continue
        if run.kind == "backup" and other.vault == run.vault and _takes_in(other, run):
            return other
        if run.kind == "prune" and (other.vault, other.prune) == (run.vault, run.prune):
            return other
    return None


def done_with(run: Run, waiting: Iterable[Run], now: datetime) -> list[Run]:
    """List the runs for which nothing is left to do when this one begins."""
    return [
        other
        for other in waiting
        if other.id != run.id
        and run.kind == other.kind == "backup"
        and other.state == "pending"
        and other.vault == run.vault
        and not is_held(other, now)
    ]


def is_of(run: Run, rule: Protection) -> bool:
    """Say whether a rule has triggered a run."""
    return (run.trigger.kind, run.trigger.name) == (rule.trigger, rule.name)


def is_upkeep(run: Run) -> bool:
    """Say whether a run only keeps a repository in order, and lets others go first."""
    return run.trigger.kind == "upkeep" or run.kind == "prune"


def _takes_in(other: Run, run: Run) -> bool:
    if other.wait is None or other.wait.until is None:
        return run.wait is None or run.wait.reason != "settle"
    return (other.trigger.kind, other.trigger.name) == (run.trigger.kind, run.trigger.name)
