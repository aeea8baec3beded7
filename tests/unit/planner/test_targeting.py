"""In which Vaults a version is to exist and which copy is due, as pure decisions."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.application import upkeeping
from appshield.contracts.applications import ApplicationRecord, Keep, Protection
from appshield.contracts.catalog import CopyState, VersionCopy, VersionRecord
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.runs import Failure
from appshield.planner import targeting
from planned_versions import NOW, version
from planner_world import APP

NIGHTLY = Protection(name="nightly", trigger="schedule", keep=Keep(last=2))
RECORD = ApplicationRecord(
    app_id="a-1",
    app=APP,
    uid="uid-1",
    vault="primary",
    state="active",
    protections=(NIGHTLY,),
    targets=("primary", "offsite"),
)
WHY = Failure(what="it failed")
DAMAGE = VersionDamage(number=1, snapshot_id="s", paths=("a",), paths_total=1)


def there(vault: str = "offsite", state: CopyState = "stored") -> VersionCopy:
    """Give a copy."""
    return VersionCopy(vault=vault, state=state, snapshot_id=f"{vault}-1", stored_at=NOW)


def due(*versions: VersionRecord, busy: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    """Name version, source and target of each copy that is due."""
    found = targeting.due_copies(RECORD, versions, NOW, busy=busy)
    return [(one.version.facts.number, one.source, one.vault) for one in found]


def states(record: ApplicationRecord, *versions: VersionRecord) -> list[dict[str, str]]:
    """Say how the copies of each version are planned to stand."""
    planned = targeting.planned(record, versions, NOW)
    return [{copy.vault: copy.state for copy in one.copies} for one in planned]


def test_a_version_is_to_exist_in_every_target() -> None:
    """A copy is pending where it does not exist yet, and never twice."""
    assert states(RECORD, version(1), version(2, there())) == [
        {"offsite": "pending"},
        {"offsite": "stored"},
    ]


def test_a_rule_more_for_the_same_vaults_asks_for_no_others() -> None:
    """Only then catalogs are read anew for every application that a policy concerns."""
    more = replace(NIGHTLY, name="policy/hourly", targets=RECORD.targets)
    elsewhere = replace(more, targets=("vault-2",))
    assert not targeting.targets_differ(replace(RECORD, protections=(NIGHTLY, more)), RECORD)
    assert targeting.targets_differ(replace(RECORD, protections=(NIGHTLY, elsewhere)), RECORD)
    assert targeting.targets_differ(replace(RECORD, targets=("vault-2",)), RECORD)


def test_a_rule_names_targets_of_its_own() -> None:
    """They count for the versions that it made; a person's go where the application's go."""
    rule = replace(NIGHTLY, targets=("primary", "vault-2", "vault-3"))
    record = replace(RECORD, protections=(rule,))
    assert states(record, version(1, rule="nightly"), version(2)) == [
        {"vault-2": "pending", "vault-3": "pending"},
        {"offsite": "pending"},
    ]


def test_a_history_without_targets_has_no_copies() -> None:
    """As a rebuilt catalog knows it whose object is gone."""
    assert states(replace(RECORD, targets=()), version(1)) == [{}]


def test_what_the_rule_would_not_keep_is_not_copied() -> None:
    """Of five versions of a rule that keeps two, two are sent."""
    made = [version(number, rule="nightly") for number in range(1, 6)]
    assert states(RECORD, *made) == [{}, {}, {}, {"offsite": "pending"}, {"offsite": "pending"}]


def test_a_vault_keeps_what_its_own_counts_say() -> None:
    """All versions of a rule that keeps two go where it keeps ten, and stay there."""
    rule = replace(NIGHTLY, keep_in={"offsite": Keep(last=10)})
    record = replace(RECORD, protections=(rule,))
    made = [version(number, there(), rule="nightly") for number in range(1, 6)]
    gone = {
        vault: [one.facts.number for one in upkeeping.expired(record, made, vault, NOW)]
        for vault in ("primary", "offsite")
    }
    assert gone == {"primary": [1, 2, 3], "offsite": []}
    new = [version(number, rule="nightly") for number in range(1, 6)]
    assert states(record, *new) == [{"offsite": "pending"}] * 5


def test_a_target_that_is_not_named_any_more_gets_nothing_and_loses_nothing() -> None:
    """What waits to be copied is dropped; what is there stays, and what was forgotten is known."""
    record = replace(RECORD, targets=("primary",))
    copies = [there(state=state) for state in ("pending", "failed", "copying", "stored")]
    assert states(record, *(version(n, copy) for n, copy in enumerate(copies, start=1))) == [
        {},
        {},
        {"offsite": "copying"},
        {"offsite": "stored"},
    ]


def test_what_was_forgotten_in_a_vault_is_not_copied_there_again() -> None:
    """Whoever let it go there meant it."""
    gone = targeting.without(version(1, there()), "offsite", forgotten=True)
    assert gone is not None
    assert states(RECORD, gone) == [{"offsite": "forgotten"}]
    assert due(gone) == []
    lost = targeting.without(version(1, there()), "offsite", forgotten=False)
    assert lost is not None
    assert states(RECORD, lost) == [{"offsite": "pending"}]


def test_the_newest_version_is_copied_first_and_one_at_a_time_to_each_vault() -> None:
    """The next one follows when that has ended."""
    waiting = [version(number, there(state="pending")) for number in (1, 2, 3)]
    assert due(*waiting) == [(3, "primary", "offsite")]
    assert due(*waiting[:2], version(3, there(state="copying"))) == []


def test_two_vaults_are_filled_side_by_side() -> None:
    """Each has its own state."""
    one = version(1, there("a", "pending"), there("b", "pending"))
    assert due(one) == [(1, "primary", "a"), (1, "primary", "b")]


def test_a_vault_that_somebody_needs_alone_is_left_alone() -> None:
    """As a source and as a target."""
    waiting = version(1, there(state="pending"))
    assert due(waiting, busy=("offsite",)) == []
    assert due(waiting, busy=("primary",)) == []


def test_a_good_copy_is_the_source_where_the_first_is_damaged() -> None:
    """What is damaged everywhere is not copied."""
    damaged = replace(version(1, there(), there("third", "pending")), damage=DAMAGE)
    assert due(damaged) == [(1, "offsite", "third")]
    alone = replace(version(1, there(state="pending")), damage=DAMAGE)
    assert due(alone) == []


def test_a_failed_copy_is_tried_again_after_pauses_that_grow_to_an_hour() -> None:
    """1, 2, 4 … 60 minutes."""
    one, now, pauses = version(1, there(state="copying")), NOW, []
    for _ in range(8):
        one = targeting.with_failure([one], one, "offsite", WHY, now, vault_failed=True)
        [copy] = one.copies
        assert copy.again_at is not None
        pauses.append((copy.again_at - now).total_seconds() / 60)
        now = copy.again_at
        one = targeting.with_copy(one, replace(copy, state="copying"))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (copy.attempts, copy.failure) == (8, WHY)


def test_a_vault_that_cannot_be_used_holds_up_all_its_copies_and_no_others() -> None:
    """Whatever waits for it waits longer the more has failed; other Vaults are filled."""
    broken = there("offsite", "copying")
    first, second = (version(n, broken, there("third", "pending")) for n in (1, 2))
    first = targeting.with_failure([first], first, "offsite", WHY, NOW, vault_failed=True)
    assert due(first, version(3, there(state="pending"))) == [(1, "primary", "third")]
    second = targeting.with_failure([first], second, "offsite", WHY, NOW, vault_failed=True)
    assert second.copies[-1].again_at == NOW + timedelta(minutes=2)
    assert due(first, second) == [(2, "primary", "third")]
    assert targeting.next_try([first, second]) == NOW + timedelta(minutes=1)


def test_what_failed_for_its_own_sake_holds_nobody_up() -> None:
    """A version that cannot be read is tried again while others are copied."""
    bad = version(2, there(state="copying"))
    bad = targeting.with_failure([bad], bad, "offsite", WHY, NOW, vault_failed=False)
    assert due(version(1, there(state="pending")), bad) == [(1, "primary", "offsite")]


def test_a_vault_that_works_again_frees_what_waited_for_it() -> None:
    """At once, and with pauses that begin anew."""
    held = version(1, there(state="copying"))
    held = targeting.with_failure([held], held, "offsite", WHY, NOW, vault_failed=True)
    [freed] = targeting.released([held], "offsite")
    assert due(freed) == [(1, "primary", "offsite")]
    assert freed.copies[0].attempts == 0


def test_a_version_that_is_gone_at_the_first_lives_on_in_the_second() -> None:
    """With what is known of it there; and it is gone when it is gone everywhere."""
    copy = replace(there(), damage=DAMAGE)
    left = targeting.without(version(1, copy), "primary", forgotten=True)
    assert left is not None
    assert (left.vault, left.snapshot_id, left.damage) == ("offsite", "offsite-1", DAMAGE)
    assert left.vaults == ("offsite",)
    assert states(RECORD, left) == [{"primary": "forgotten"}]
    assert targeting.without(left, "offsite", forgotten=True) is None
    waiting = version(1, there(state="pending"))
    assert targeting.without(waiting, "primary", forgotten=True) is None


def test_good_copies_are_read_first_in_the_order_of_the_targets() -> None:
    """A Vault that is no target comes last."""
    one = version(1, there("third"), there("offsite"))

    def order(one: VersionRecord) -> list[str]:
        return [place.vault for place in targeting.readable_at(RECORD, one)]

    assert order(one) == ["primary", "offsite", "third"]
    assert order(replace(one, damage=DAMAGE)) == ["offsite", "third", "primary"]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8), st.integers(0, 3))
def test_retention_of_one_vault_does_not_look_at_another(
    stored: list[tuple[bool, bool]], last: int
) -> None:
    """In each Vault the newest that are there stay, whatever is elsewhere."""
    record = replace(RECORD, protections=(replace(NIGHTLY, keep=Keep(last=last)),))
    versions = [
        version(number, *([there()] if copied else []), rule="nightly")
        for number, (copied, _) in enumerate(stored, start=1)
    ]
    here = [one.facts.number for one in versions if "offsite" in one.vaults]
    gone = [one.facts.number for one in upkeeping.expired(record, versions, "offsite", NOW)]
    assert gone == (here[: -max(last, 1)])
    every = [one.facts.number for one in versions]
    left = [one.facts.number for one in upkeeping.expired(record, versions, "primary", NOW)]
    assert left == every[: -max(last, 1)]
