"""Who goes first among applications, and how many at once."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run, Step, Trigger
from appshield.planner.lines import Limits, Lines, place_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def _run(name: str, *, priority: int = 0, vault: str = "primary", after_s: int = 0) -> Run:
    return Run(
        id=f"b-{name}",
        kind="backup",
        app=AppRef(cluster="test", namespace=name, name=name),
        app_id=f"a-{name}",
        vault=vault,
        trigger=Trigger(kind="signal", identity=name),
        state="pending",
        epoch=0,
        requested_at=NOW + timedelta(seconds=after_s),
        priority=priority,
    )


def _taken(lines: Lines) -> list[str]:
    found = []
    while (place := lines.take()) is not None:
        found.append(place.run)
    return found


def test_the_highest_priority_goes_first_and_then_who_came_first() -> None:
    """Each that ends lets the next one of all begin, not the next that came."""
    lines = Lines(Limits(in_all=1))
    for run in (_run("late", after_s=9), _run("first"), _run("high", priority=5, after_s=99)):
        lines.wait(place_of(run))
    order = []
    while (place := lines.take()) is not None:
        order.append(place.run)
        lines.end(place.run)
    assert order == ["b-high", "b-first", "b-late"]


def test_a_run_begins_at_once_only_before_all_that_could_begin() -> None:
    """What waits for a Vault that is full is in nobody's way but its own."""
    lines = Lines(Limits(in_all=3, per_vault=1))
    assert lines.take_at_once(place_of(_run("a")))
    lines.wait(place_of(_run("b", priority=5)))
    assert not lines.take_at_once(place_of(_run("c")))
    assert lines.take_at_once(place_of(_run("d", vault="other")))
    lines.wait(place_of(_run("e", vault="third", priority=5)))
    assert not lines.take_at_once(place_of(_run("f", vault="fourth", after_s=9)))


def test_a_full_vault_holds_back_its_own_runs_only() -> None:
    """The others go on, also such of a lower priority."""
    lines = Lines(Limits(per_vault=1))
    for run in (_run("a"), _run("b", priority=1), _run("c", vault="other", priority=-1)):
        lines.wait(place_of(run))
    assert _taken(lines) == ["b-b", "b-c"]
    assert "use Vault primary: 1" in lines.full(place_of(_run("a")))


def test_a_node_is_counted_by_where_the_data_was_last_until_the_run_knows() -> None:
    """A run that turns out to be elsewhere frees the node."""
    lines = Lines(Limits(per_node=1))
    lines.wait(place_of(_run("a"), ["node-1"]))
    assert _taken(lines) == ["b-a"]
    lines.wait(place_of(_run("b"), ["node-1"]))
    assert _taken(lines) == []
    step = Step(
        name="store/x",
        state="running",
        attempt=1,
        epoch=1,
        started_at=NOW,
        deadline_at=NOW,
        node="node-2",
    )
    lines.move(place_of(replace(_run("a"), steps=(step,))))
    assert _taken(lines) == ["b-b"]


def test_a_restore_waits_for_no_limit() -> None:
    """Somebody needs the application back."""
    lines = Lines(Limits(in_all=1))
    lines.wait(place_of(_run("a")))
    lines.wait(place_of(replace(_run("b", after_s=1), kind="restore")))
    assert _taken(lines) == ["b-a", "b-b"]


def test_a_run_counts_once_however_often_it_begins_and_ends() -> None:
    """After a planner took over, or a message came twice."""
    lines = Lines(Limits(in_all=2))
    for _ in range(3):
        lines.begin(place_of(_run("a")))
    lines.wait(place_of(_run("b")))
    lines.wait(place_of(_run("c")))
    assert _taken(lines) == ["b-b"]
    for _ in range(3):
        lines.end("b-a")
    assert _taken(lines) == ["b-c"]
